package tollcast.applet;

import static tollcast.applet.Instructions.*;

import javacard.framework.APDU;
import javacard.framework.APDUException;
import javacard.framework.ISO7816;
import javacard.framework.ISOException;

/** Receives the data of a command, where by the table of protocol 2 it has some. */
final class CommandData {
  /** GET RECEIPT has data of this length, or none. */
  static final short RECEIPT_NUMBER_LENGTH = 4;

  private static final short DATA = Command.DATA;

  private CommandData() {
  }

  /** Reads the command's data to {@link #DATA} and returns its length; throws 6700. */
  static short receive(APDU apdu, byte[] buffer, boolean wrapped) {
    if (!hasData(buffer, wrapped)) {
      return 0;
    }
    short end = DATA;
    try {
      end += apdu.setIncomingAndReceive();
    } catch (APDUException e) {
      // By T=1 a runtime may know that there is Le alone.
      if (e.getReason() != APDUException.ILLEGAL_USE) {
        throw e;
      }
      return 0;
    }
    short length = apdu.getIncomingLength();
    // No more than Command.maxData says.
    if (length >= (short) ((short) buffer.length - DATA)) {
      ISOException.throwIt(StatusWords.WRONG_LENGTH);
    }
    while (end < (short) (DATA + length)) {
      short received = apdu.receiveBytes(end);
      if (received == 0) {
        ISOException.throwIt(StatusWords.WRONG_LENGTH);
      }
      end = (short) (end + received);
    }
    return length;
  }

  /**
   * Whether a command of a right class has data, by the table of protocol 2. The fifth octet alone does not tell: it is
   * Lc or Le, and a card that takes one for the other waits for data that never come (T=0).
   */
  private static boolean hasData(byte[] buffer, boolean wrapped) {
    byte fifth = buffer[ISO7816.OFFSET_LC];
    if (fifth == 0) {
      return false;
    }
    if (wrapped) {
      return true;
    }
    switch (buffer[ISO7816.OFFSET_INS]) {
      case INS_INITIALIZE_UPDATE:
      case INS_PUT_KEY:
      case INS_STORE_DATA:
      case INS_VERIFY:
      case INS_CHANGE_PIN:
      case INS_SET_SPEND_LIMIT:
      case INS_OPEN_SESSION:
      case INS_LOAD_KEY:
      case INS_DELETE_KEY:
      case INS_DECODE:
      case INS_LOAD_CREDIT:
      case INS_ACKNOWLEDGE_RECEIPTS:
      case INS_LEAVE:
      case INS_SIGN_REQUEST:
        return true;
      case INS_GET_RECEIPT:
        return fifth == RECEIPT_NUMBER_LENGTH;
      default:
        return false;
    }
  }
}
