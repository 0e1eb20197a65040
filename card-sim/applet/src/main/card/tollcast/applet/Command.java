package tollcast.applet;

import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.Util;

/** The checks of a command's header (protocol 2, steps 8 and 9). They read the header and never change it. */
final class Command {
  /** Where the data of a command starts in the APDU buffer. */
  static final short DATA = ISO7816.OFFSET_CDATA;
  private static final short MAX_SHORT = 255;
  /** Mask that takes the number of the logical channel out of CLA: bits 1 and 0. */
  static final byte WITHOUT_CHANNEL = (byte) 0xFC;

  private Command() {
  }

  /**
   * Most octets of data in one command, at most 255: what the APDU buffer holds behind the header, and less one, as
   * some runtimes keep Le in it.
   */
  static short maxData(byte[] buffer) {
    short room = (short) ((short) buffer.length - (short) (DATA + 1));
    return room < MAX_SHORT ? room : MAX_SHORT;
  }

  /** Requires P1 P2 = 0000; throws 6A86. */
  static void requireNoParameters(byte[] buffer) {
    if (Util.getShort(buffer, ISO7816.OFFSET_P1) != 0) {
      ISOException.throwIt(StatusWords.WRONG_PARAMETERS);
    }
  }

  /** Requires this P2, whatever P1 is; throws 6A86. */
  static void requireP2(byte[] buffer, byte expected) {
    if (buffer[ISO7816.OFFSET_P2] != expected) {
      ISOException.throwIt(StatusWords.WRONG_PARAMETERS);
    }
  }

  /** Requires as many octets of data as expected; throws 6700. */
  static void requireLength(short length, short expected) {
    if (length != expected) {
      ISOException.throwIt(StatusWords.WRONG_LENGTH);
    }
  }

  /** Requires a command without data; throws 6700. */
  static void requireNoData(short length) {
    requireLength(length, (short) 0);
  }
}
