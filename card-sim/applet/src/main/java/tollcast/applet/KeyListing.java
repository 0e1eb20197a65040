package tollcast.applet;

import javacard.framework.APDU;
import javacard.framework.ISOException;
import javacard.framework.Util;

/** LIST KEYS and the rest of it by GET RESPONSE (protocol 4.4), by place. */
final class KeyListing {
  private static final short MOST = 240;

  private final byte[] ram;
  private final KeyStore keys;

  KeyListing(Transients transients, KeyStore keys) {
    ram = transients.ram;
    this.keys = keys;
  }

  /** Any other command drops the rest. */
  void forget() {
    ram[Transients.LIST] = 0;
  }

  /** @param whole whether nothing may be left for GET RESPONSE */
  short start(APDU apdu, byte[] buffer, boolean whole) {
    return answer(apdu, buffer, (short) 0, whole);
  }

  short goOn(APDU apdu, byte[] buffer) {
    short from = ram[Transients.LIST];
    if (from == 0) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
    return answer(apdu, buffer, from, false);
  }

  /** Writes the keys from a place on and returns the length; when some are left, answers by itself and throws 61xx. */
  private short answer(APDU apdu, byte[] buffer, short from, boolean whole) {
    short next = 0;
    short length = 0;
    short left = 0;
    for (byte place = (byte) from; place < KeyStore.END; place++) {
      KeyTable table = keys.table(place);
      byte slot = KeyStore.slot(place);
      if (!table.used(slot)) {
        continue;
      }
      if (length < MOST) {
        Util.arrayCopyNonAtomic(table.entries, table.at(slot), buffer, length, KeyTable.LISTED);
        buffer[(short) (length + KeyTable.PURCHASE)] = 0;
        buffer[(short) (length + KeyTable.PARENT)] = 0;
        length = (short) (length + KeyTable.LISTED);
      } else {
        next = left == 0 ? place : next;
        left = (short) (left + KeyTable.LISTED);
      }
    }
    if (left != 0 && whole) {
      ISOException.throwIt(StatusWords.NO_ROOM);
    }
    ram[Transients.LIST] = (byte) next;
    if (left != 0) {
      apdu.setOutgoingAndSend((short) 0, length);
      ISOException.throwIt((short) (StatusWords.MORE | (left > 255 ? 0 : left)));
    }
    return length;
  }
}
