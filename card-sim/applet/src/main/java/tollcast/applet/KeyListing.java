package tollcast.applet;

import javacard.framework.APDU;
import javacard.framework.ISOException;
import javacard.framework.Util;

/** LIST KEYS and the rest of it by GET RESPONSE (protocol 4.4): slots of services, then segments, then contents. */
final class KeyListing {
  private static final short MOST = 240;

  private final byte[] ram;
  private final KeyTable[] tables;

  KeyListing(Persistent persistent, Transients transients) {
    ram = transients.ram;
    tables = new KeyTable[] {persistent.services, transients.segments, transients.contents};
  }

  /** Any other command drops the rest. */
  void forget() {
    ram[Transients.LIST] = 0;
  }

  void start(APDU apdu, byte[] buffer) {
    answer(apdu, buffer, (short) 0);
  }

  void goOn(APDU apdu, byte[] buffer) {
    short from = ram[Transients.LIST];
    if (from == 0) {
      ISOException.throwIt(StatusWords.STATE);
    }
    answer(apdu, buffer, from);
  }

  /** Answers the keys from a place in the order of all slots on; throws 61xx when some are left. */
  private void answer(APDU apdu, byte[] buffer, short from) {
    short place = 0;
    short next = 0;
    short length = 0;
    short left = 0;
    for (byte level = 0; level < (byte) tables.length; level++) {
      KeyTable table = tables[level];
      for (byte slot = 0; slot < table.count; slot++, place++) {
        if (place < from || !table.used(slot)) {
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
    }
    ram[Transients.LIST] = (byte) next;
    if (length != 0) {
      apdu.setOutgoingAndSend((short) 0, length);
    }
    if (left != 0) {
      ISOException.throwIt((short) (StatusWords.MORE | (left > 255 ? 0 : left)));
    }
  }
}
