package tollcast.applet;

import javacard.framework.Util;

/** The segments whose flat price is paid, kept in the place of the purchase that they were paid through (7.3). */
final class PaidSegments {
  private static final byte SEGMENTS = 8;
  /** How many were paid, counted on to 15 and from there back to 8; its low bits say which of the ring comes next. */
  private static final short COUNT = KeyTable.PAID;
  private static final short RING = (short) (KeyTable.PAID + 1);
  static final short LENGTH = (short) (1 + (short) (SEGMENTS * 4));

  private final KeyTable purchases;

  PaidSegments(KeyTable purchases) {
    this.purchases = purchases;
  }

  /** Whether the segment of the content key at `content` is paid in any place of its service. */
  boolean has(byte[] contents, short content) {
    byte[] entries = purchases.entries;
    for (byte place = 0; place < purchases.count; place++) {
      short entry = purchases.at(place);
      if (Util.arrayCompare(entries, (short) (entry + KeyTable.SERVICE), contents,
          (short) (content + KeyTable.SERVICE), (short) 4) != 0) {
        continue;
      }
      short count = entries[(short) (entry + COUNT)];
      short segment = (short) (entry + RING);
      short end = (short) (segment + (short) ((count < SEGMENTS ? count : SEGMENTS) * 4));
      for (; segment < end; segment += 4) {
        if (Util.arrayCompare(entries, segment, contents, (short) (content + KeyTable.SEGMENT_ID), (short) 4) == 0) {
          return true;
        }
      }
    }
    return false;
  }

  /** Notes the segment of the content key at `content`, inside the caller's transaction. */
  void add(byte[] contents, short content) {
    short entry = purchases.at(contents[(short) (content + KeyTable.PURCHASE)]);
    short count = (short) (entry + COUNT);
    byte paid = purchases.entries[count];
    Util.arrayCopy(contents, (short) (content + KeyTable.SEGMENT_ID), purchases.entries,
        (short) ((short) (entry + RING) + (short) ((short) (paid & (byte) (SEGMENTS - 1)) * 4)), (short) 4);
    paid++;
    purchases.entries[count] = paid == (byte) (2 * SEGMENTS) ? SEGMENTS : paid;
  }

  /** Before a purchase takes a free place: forgets what was paid there for another service than that at `service`. */
  void forgetOthers(byte place, byte[] message, short service) {
    short entry = purchases.at(place);
    if (Util.arrayCompare(purchases.entries, (short) (entry + KeyTable.SERVICE), message, service, (short) 4) != 0) {
      purchases.entries[(short) (entry + COUNT)] = 0;
    }
  }
}
