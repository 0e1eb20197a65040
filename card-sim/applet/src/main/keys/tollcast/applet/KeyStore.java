package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.Util;

/**
 * Which keys are here, where a new one goes, and which go with one that goes (protocol 4.4). Places number the rows of
 * all tables in the order of LIST KEYS: purchases, tree nodes, segments, contents. The place of a purchase is its row.
 */
final class KeyStore {
  static final byte FIRST_NODE = Persistent.PURCHASES;
  static final byte FIRST_SEGMENT = (byte) (FIRST_NODE + Persistent.NODES);
  static final byte FIRST_CONTENT = (byte) (FIRST_SEGMENT + Transients.SEGMENTS);
  static final byte PLACES = (byte) (FIRST_CONTENT + Transients.CONTENTS);

  private final byte[] ram;
  private final Persistent persistent;
  private final KeyTable purchases;
  private final KeyTable segments;
  private final KeyTable contents;

  KeyStore(Persistent persistent, Transients transients) {
    this.persistent = persistent;
    ram = transients.ram;
    purchases = persistent.purchases;
    segments = transients.segments;
    contents = transients.contents;
  }

  KeyTable tableOf(byte place) {
    if (place < FIRST_NODE) {
      return purchases;
    }
    if (place < FIRST_SEGMENT) {
      return persistent.nodes;
    }
    return place < FIRST_CONTENT ? segments : contents;
  }

  static byte rowOf(byte place) {
    if (place < FIRST_NODE) {
      return place;
    }
    if (place < FIRST_SEGMENT) {
      return (byte) (place - FIRST_NODE);
    }
    return (byte) (place - (place < FIRST_CONTENT ? FIRST_SEGMENT : FIRST_CONTENT));
  }

  /** The place of a key by kind, service and id, or NONE. A segment in RAM comes before one in a purchase (4.1). */
  byte find(byte kind, byte[] service, short serviceAt, byte[] id, short idAt) {
    if (kind == 0) {
      // The kind of a free entry.
      return KeyTable.NONE;
    }
    byte first = kind == Kinds.SEGMENT ? FIRST_SEGMENT : kind == Kinds.NODE ? FIRST_NODE
        : Kinds.isContent(kind) ? FIRST_CONTENT : 0;
    byte row = tableOf(first).find(kind, service, serviceAt, id, idAt);
    if (row != KeyTable.NONE) {
      return (byte) (first + row);
    }
    return kind == Kinds.SEGMENT ? purchases.find(kind, service, serviceAt, id, idAt) : KeyTable.NONE;
  }

  /**
   * The row of the content key that a card part names, or NONE. If ids collide, the key of the open session's service
   * comes first (6, step 1).
   */
  byte findContent(byte[] part, short idAt) {
    byte first = KeyTable.NONE;
    for (byte row = 0; row < contents.count; row++) {
      short entry = contents.at(row);
      if (contents.entries[entry] == 0
          || Util.arrayCompare(contents.entries, (short) (entry + KeyTable.KEY_ID), part, idAt, (short) 4) != 0) {
        continue;
      }
      if (isOfOpenSession(entry)) {
        return row;
      }
      first = first == KeyTable.NONE ? row : first;
    }
    return first;
  }

  private boolean isOfOpenSession(short entry) {
    return Util.arrayCompare(contents.entries, (short) (entry + KeyTable.SERVICE), ram, Transients.SERVICE,
        (short) 4) == 0;
  }

  /** The place in RAM that a segment or content key takes; another may be there now. Throws 6A84. */
  byte placeFor(byte kind, byte[] message, short serviceAt, short idAt) {
    boolean segment = kind == Kinds.SEGMENT;
    KeyTable table = segment ? segments : contents;
    byte row = table.find(kind, message, serviceAt, message, idAt);
    if (row == KeyTable.NONE) {
      row = table.findFree();
    }
    if (row == KeyTable.NONE) {
      row = segment ? findEarliestSegment() : findSpareContent();
    }
    return (byte) (row + (segment ? FIRST_SEGMENT : FIRST_CONTENT));
  }

  private byte findEarliestSegment() {
    byte earliest = 0;
    for (byte row = 1; row < segments.count; row++) {
      if (Unsigned.compare(segments.entries, (short) (segments.at(row) + KeyTable.TO), segments.entries,
          (short) (segments.at(earliest) + KeyTable.TO), (short) 4) < 0) {
        earliest = row;
      }
    }
    return earliest;
  }

  /** A content key that has ended, else one of another service than the open session's; throws 6A84. */
  private byte findSpareContent() {
    for (byte row = 0; row < contents.count; row++) {
      if (Unsigned.compare(contents.entries, (short) (contents.at(row) + KeyTable.TO), ram, Transients.HIGHEST_TIME,
          (short) 4) <= 0) {
        return row;
      }
    }
    for (byte row = 0; row < contents.count; row++) {
      if (!isOfOpenSession(contents.at(row))) {
        return row;
      }
    }
    ISOException.throwIt(StatusWords.NO_ROOM);
    return KeyTable.NONE;
  }

  /** Frees a place and the places of the RAM keys below its key. A free place stays as it is. */
  void free(byte place) {
    KeyTable table = tableOf(place);
    byte row = rowOf(place);
    if (!table.isUsed(row)) {
      return;
    }
    table.clear(row);
    if (place < FIRST_NODE) {
      freeBelow(place);
      if (place >= Persistent.FIRST_SEEDS) {
        Marks.wipe(persistent.seeds, place);
      } else if (place >= Persistent.KEYED_PURCHASES) {
        persistent.keyPairs.wipe((byte) (place - Persistent.KEYED_PURCHASES));
      }
    } else if (place < FIRST_SEGMENT) {
      Util.arrayFillNonAtomic(table.entries, table.at(row), Tree.LENGTH, (byte) 0);
    } else if (place < FIRST_CONTENT) {
      freeContentsUnder(place);
    }
  }

  /** Frees the places of the RAM keys below a purchase. */
  void freeBelow(byte purchase) {
    limitBelow(segments, purchase, true);
    limitBelow(contents, purchase, true);
  }

  /** After the end of a purchase was lowered: RAM keys below it end with it, and those that have nothing left go. */
  void shortenBelow(byte purchase) {
    limitBelow(segments, purchase, false);
    limitBelow(contents, purchase, false);
  }

  private void limitBelow(KeyTable table, byte purchase, boolean purchaseGone) {
    short end = (short) (purchases.at(purchase) + KeyTable.TO);
    for (byte row = 0; row < table.count; row++) {
      short entry = table.at(row);
      if (!table.isUsed(row) || table.entries[(short) (entry + KeyTable.PURCHASE)] != purchase) {
        continue;
      }
      Unsigned.lower(table.entries, (short) (entry + KeyTable.TO), purchases.entries, end, (short) 4);
      if (purchaseGone || Unsigned.compare(table.entries, (short) (entry + KeyTable.FROM), table.entries,
          (short) (entry + KeyTable.TO), (short) 4) >= 0) {
        table.clear(row);
      }
    }
  }

  /** Frees the content keys that came under a segment key in RAM. */
  void freeContentsUnder(byte segment) {
    for (byte row = 0; row < contents.count; row++) {
      if (contents.isUsed(row) && contents.entries[(short) (contents.at(row) + KeyTable.PARENT)] == segment) {
        contents.clear(row);
      }
    }
  }

  /** DELETE KEY; throws 6A88. */
  void delete(byte[] data, short at) {
    byte place = find(data[(short) (at + DeleteKeyCommand.KIND)], data, (short) (at + DeleteKeyCommand.SERVICE), data,
        (short) (at + DeleteKeyCommand.KEY_ID));
    if (place == KeyTable.NONE) {
      ISOException.throwIt(StatusWords.UNKNOWN_KEY);
    }
    free(place);
  }
}
