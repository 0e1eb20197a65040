package tollcast.applet;

import javacard.framework.APDU;
import javacard.framework.ISOException;
import javacard.framework.Util;

/** LIST KEYS, and the rest of its list by GET RESPONSE (protocol 4.4). */
final class KeyListing {
  /** An R-MAC behind the longest part still fits the buffer, which has 6 octets more than the longest command data. */
  private static final short ROOM_OF_MAC = (short) (SecureChannel.MAC_LENGTH - 6);

  private final byte[] ram;
  private final KeyStore keys;

  KeyListing(Transients transients, KeyStore keys) {
    ram = transients.ram;
    this.keys = keys;
  }

  /** Any command but GET RESPONSE drops the rest of a list. */
  void dropRest() {
    ram[Transients.LIST_FROM] = 0;
  }

  /** @param inOneAnswer inside the secure channel: nothing may be left for GET RESPONSE */
  short start(APDU apdu, byte[] buffer, boolean inOneAnswer) {
    return write(apdu, buffer, (short) 0, inOneAnswer);
  }

  /** GET RESPONSE; throws 6985 when nothing is left. */
  short writeRest(APDU apdu, byte[] buffer) {
    short from = ram[Transients.LIST_FROM];
    if (from == 0) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
    return write(apdu, buffer, from, false);
  }

  /**
   * Writes the keys from a place on and returns the length of the answer. When some are left it sends the answer itself
   * and throws 61xx; throws 6A84 when none may be left.
   */
  private short write(APDU apdu, byte[] buffer, short from, boolean inOneAnswer) {
    short maxLength = (short) (Command.maxData(buffer) - ROOM_OF_MAC);
    short next = 0;
    short length = 0;
    short left = 0;
    for (byte place = (byte) from; place < KeyStore.PLACES; place++) {
      KeyTable table = keys.tableOf(place);
      byte row = KeyStore.rowOf(place);
      if (!table.isUsed(row)) {
        continue;
      }
      if (left == 0 && (short) (length + KeyEntry.SIZE) <= maxLength) {
        Util.arrayCopyNonAtomic(table.entries, table.at(row), buffer, length, KeyEntry.SIZE);
        buffer[(short) (length + KeyTable.PURCHASE)] = 0;
        buffer[(short) (length + KeyTable.PARENT)] = 0;
        length = (short) (length + KeyEntry.SIZE);
      } else {
        next = left == 0 ? place : next;
        left = (short) (left + KeyEntry.SIZE);
      }
    }
    if (left != 0 && inOneAnswer) {
      ISOException.throwIt(StatusWords.NO_ROOM);
    }
    ram[Transients.LIST_FROM] = (byte) next;
    if (left != 0) {
      apdu.setOutgoingAndSend((short) 0, length);
      ISOException.throwIt((short) (StatusWords.MORE | (left > 255 ? 0 : left)));
    }
    return length;
  }
}
