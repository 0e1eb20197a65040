package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.Util;
import javacard.security.AESKey;

/** Which keys are here, which slot a new one takes, and what goes when one goes (protocol 4.4). */
final class KeyStore {
  private final Persistent persistent;
  private final byte[] ram;
  private final KeyTable services;
  private final KeyTable segments;
  private final KeyTable contents;

  KeyStore(Persistent persistent, Transients transients) {
    this.persistent = persistent;
    ram = transients.ram;
    services = persistent.services;
    segments = transients.segments;
    contents = transients.contents;
  }

  /** The table of kind 10, 11 or 12; null for any other. */
  KeyTable table(byte kind) {
    switch (kind) {
      case Kinds.SERVICE:
        return services;
      case Kinds.SEGMENT:
        return segments;
      case Kinds.CONTENT:
        return contents;
      default:
        return null;
    }
  }

  /** The slot of a parent, 0 for the unique key, or NONE. */
  byte findParent(byte kind, byte[] message, short serviceAt, short idAt) {
    if (kind == Kinds.UNIQUE) {
      boolean own = Util.arrayCompare(message, idAt, persistent.card, Persistent.CARD_SERIAL, (short) 4) == 0;
      return own ? 0 : KeyTable.NONE;
    }
    KeyTable table = table(kind);
    return table == null ? KeyTable.NONE : table.find(message, serviceAt, message, idAt);
  }

  AESKey wrapKey(byte kind, byte slot) {
    return kind == Kinds.UNIQUE ? persistent.downlinkWrap : table(kind).wrapKey(slot);
  }

  AESKey macKey(byte kind, byte slot) {
    return kind == Kinds.UNIQUE ? persistent.downlinkMac : table(kind).macKey(slot);
  }

  /** The slot of the content key a card part names: of two with one id, that of the open session's service. */
  byte findContent(byte[] part, short idAt) {
    byte slot = contents.find(ram, Transients.SERVICE, part, idAt);
    if (slot != KeyTable.NONE) {
      return slot;
    }
    for (slot = 0; slot < contents.count; slot++) {
      if (contents.used(slot) && Util.arrayCompare(contents.entries, (short) (contents.at(slot) + KeyTable.ID), part,
          idAt, (short) 4) == 0) {
        return slot;
      }
    }
    return KeyTable.NONE;
  }

  /** The slot for a key of this kind, service and id; it may be in use by another. Throws 6A84. */
  byte slotFor(byte kind, byte[] message, short serviceAt, short idAt) {
    KeyTable table = table(kind);
    byte slot = table.find(message, serviceAt, message, idAt);
    if (slot == KeyTable.NONE) {
      slot = table.free();
    }
    if (slot == KeyTable.NONE && kind == Kinds.SEGMENT) {
      slot = earliestSegment();
    }
    if (slot == KeyTable.NONE && kind == Kinds.CONTENT) {
      slot = spareContent();
    }
    if (slot == KeyTable.NONE) {
      ISOException.throwIt(StatusWords.NO_SLOT);
    }
    return slot;
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
    return KeyTable.NONE;
  }

  /** Frees a slot and the RAM keys below its key; does nothing to a free one. */
  void drop(byte kind, byte slot) {
    KeyTable table = table(kind);
    if (!table.used(slot)) {
      return;
    }
    table.clear(slot);
    if (kind == Kinds.SERVICE) {
      dropOf(segments, slot);
      dropOf(contents, slot);
    } else if (kind == Kinds.SEGMENT) {
      dropUnder(slot);
    }
  }

  /** Frees the slots of a purchase. */
  private static void dropOf(KeyTable table, byte purchase) {
    for (byte slot = 0; slot < table.count; slot++) {
      if (table.used(slot) && table.entries[(short) (table.at(slot) + KeyTable.PURCHASE)] == purchase) {
        table.clear(slot);
      }
    }
  }

  /** Frees the content keys that came under a segment key. */
  private void dropUnder(byte segment) {
    for (byte slot = 0; slot < contents.count; slot++) {
      short entry = contents.at(slot);
      if (contents.used(slot) && contents.entries[(short) (entry + KeyTable.PARENT_KIND)] == Kinds.SEGMENT
          && contents.entries[(short) (entry + KeyTable.PARENT)] == segment) {
        contents.clear(slot);
      }
    }
  }

  /** DELETE KEY: kind u8, service u32, id u32. Throws 6A88. */
  void delete(byte[] data, short at) {
    byte kind = data[at];
    KeyTable table = table(kind);
    byte slot = table == null ? KeyTable.NONE : table.find(data, (short) (at + 1), data, (short) (at + 5));
    if (slot == KeyTable.NONE) {
      ISOException.throwIt(StatusWords.NO_KEY);
    }
    drop(kind, slot);
  }
}
