package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.Util;

/**
 * Which keys are here, which slot a new one takes, and what goes when one goes (protocol 4.4). A *place* is a slot of
 * any table, in the order of LIST KEYS: purchases, tree nodes, segments, contents. The place of a purchase is its slot.
 */
final class KeyStore {
  static final byte NODES = Persistent.PURCHASES;
  static final byte SEGMENTS = (byte) (NODES + Persistent.NODES);
  static final byte CONTENTS = (byte) (SEGMENTS + Transients.SEGMENT_SLOTS);
  static final byte END = (byte) (CONTENTS + Transients.CONTENT_SLOTS);

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

  KeyTable table(byte place) {
    if (place < NODES) {
      return purchases;
    }
    if (place < SEGMENTS) {
      return persistent.nodes;
    }
    return place < CONTENTS ? segments : contents;
  }

  static byte slot(byte place) {
    if (place < NODES) {
      return place;
    }
    if (place < SEGMENTS) {
      return (byte) (place - NODES);
    }
    return (byte) (place - (place < CONTENTS ? SEGMENTS : CONTENTS));
  }

  /** The place of a key by kind, service and id, or NONE; of two segment keys the one in RAM. */
  byte find(byte kind, byte[] a, short serviceAt, byte[] b, short idAt) {
    if (kind == 0) {
      return KeyTable.NONE;
    }
    byte slot = segments.find(kind, a, serviceAt, b, idAt);
    if (slot != KeyTable.NONE) {
      return (byte) (SEGMENTS + slot);
    }
    slot = contents.find(kind, a, serviceAt, b, idAt);
    if (slot != KeyTable.NONE) {
      return (byte) (CONTENTS + slot);
    }
    slot = persistent.nodes.find(kind, a, serviceAt, b, idAt);
    if (slot != KeyTable.NONE) {
      return (byte) (NODES + slot);
    }
    return purchases.find(kind, a, serviceAt, b, idAt);
  }

  /** The slot of the content key a card part names: of two with one id, that of the open session's service. */
  byte findContent(byte[] part, short idAt) {
    byte first = KeyTable.NONE;
    for (byte slot = 0; slot < contents.count; slot++) {
      short entry = contents.at(slot);
      if (!contents.used(slot)
          || Util.arrayCompare(contents.entries, (short) (entry + KeyTable.ID), part, idAt, (short) 4) != 0) {
        continue;
      }
      if (Util.arrayCompare(contents.entries, (short) (entry + KeyTable.SERVICE), ram, Transients.SERVICE,
          (short) 4) == 0) {
        return slot;
      }
      first = first == KeyTable.NONE ? slot : first;
    }
    return first;
  }

  /** The place in RAM for a segment or content key; it may be in use by another. Throws 6A84. */
  byte placeFor(byte kind, byte[] message, short serviceAt, short idAt) {
    boolean segment = kind == Kinds.SEGMENT;
    KeyTable table = segment ? segments : contents;
    byte slot = table.find(kind, message, serviceAt, message, idAt);
    if (slot == KeyTable.NONE) {
      slot = table.free();
    }
    if (slot == KeyTable.NONE) {
      slot = segment ? earliestSegment() : spareContent();
    }
    return (byte) (slot + (segment ? SEGMENTS : CONTENTS));
  }

  private byte earliestSegment() {
    byte earliest = 0;
    for (byte slot = 1; slot < segments.count; slot++) {
      if (Unsigned.compare(segments.entries, (short) (segments.at(slot) + KeyTable.TO), segments.entries,
          (short) (segments.at(earliest) + KeyTable.TO), (short) 4) < 0) {
        earliest = slot;
      }
    }
    return earliest;
  }

  private byte spareContent() {
    for (byte slot = 0; slot < contents.count; slot++) {
      if (Unsigned.compare(contents.entries, (short) (contents.at(slot) + KeyTable.TO), ram, Transients.HIGHEST_TIME,
          (short) 4) <= 0) {
        return slot;
      }
    }
    for (byte slot = 0; slot < contents.count; slot++) {
      if (Util.arrayCompare(contents.entries, (short) (contents.at(slot) + KeyTable.SERVICE), ram, Transients.SERVICE,
          (short) 4) != 0) {
        return slot;
      }
    }
    ISOException.throwIt(StatusWords.NO_ROOM);
    return KeyTable.NONE;
  }

  /** Frees a place and the RAM keys below its key; does nothing to a free one. */
  void drop(byte place) {
    KeyTable table = table(place);
    byte slot = slot(place);
    if (!table.used(slot)) {
      return;
    }
    table.clear(slot);
    if (place < NODES) {
      limitBelow(segments, place, true);
      limitBelow(contents, place, true);
      if (place >= Persistent.FIRST_SEEDS) {
        Marks.wipe(persistent.seeds, place);
      } else if (place >= Persistent.KEYED_PURCHASES) {
        persistent.keyPairs.wipe((byte) (place - Persistent.KEYED_PURCHASES));
      }
    } else if (place < SEGMENTS) {
      Util.arrayFillNonAtomic(table.entries, table.at(slot), Tree.LENGTH, (byte) 0);
    } else if (place < CONTENTS) {
      dropUnder(place);
    }
  }

  /** The end of a purchase has come down: RAM keys below it end with it, and those left empty go. */
  void shorten(byte purchase) {
    limitBelow(segments, purchase, false);
    limitBelow(contents, purchase, false);
  }

  private void limitBelow(KeyTable table, byte purchase, boolean gone) {
    short end = (short) (purchases.at(purchase) + KeyTable.TO);
    for (byte slot = 0; slot < table.count; slot++) {
      short entry = table.at(slot);
      if (!table.used(slot) || table.entries[(short) (entry + KeyTable.PURCHASE)] != purchase) {
        continue;
      }
      Unsigned.lower(table.entries, (short) (entry + KeyTable.TO), purchases.entries, end, (short) 4);
      if (gone || Unsigned.compare(table.entries, (short) (entry + KeyTable.FROM), table.entries,
          (short) (entry + KeyTable.TO), (short) 4) >= 0) {
        table.clear(slot);
      }
    }
  }

  /** Frees the content keys that came under a segment key in RAM. */
  private void dropUnder(byte segment) {
    for (byte slot = 0; slot < contents.count; slot++) {
      if (contents.used(slot) && contents.entries[(short) (contents.at(slot) + KeyTable.PARENT)] == segment) {
        contents.clear(slot);
      }
    }
  }

  /** DELETE KEY: kind u8, service u32, id u32. Throws 6A88. */
  void delete(byte[] data, short at) {
    byte place = find(data[at], data, (short) (at + 1), data, (short) (at + 5));
    if (place == KeyTable.NONE) {
      ISOException.throwIt(StatusWords.UNKNOWN_KEY);
    }
    drop(place);
  }
}
