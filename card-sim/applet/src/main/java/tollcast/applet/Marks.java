package tollcast.applet;

import javacard.framework.Util;

/** The seeds of seed purchases, and the leaves they reach in a tree of 2^20 slots (protocol 4.6). */
final class Marks {
  /** Octets of the labels and of the keys in a message. */
  static final short LABELS_LENGTH = 32;
  static final short KEYS_LENGTH = 128;
  static final byte PARTS = 4;

  private static final byte SEEDS_OF_PART = 8;
  private static final byte DEPTH = 20;

  /** A part: 1 when it is valid, labels (level u8, index u24), keys. */
  private static final short LABELS = 1;
  private static final short KEYS = 33;
  private static final short PART_LENGTH = 161;

  private final KeyTable purchases;
  private final byte[] seeds;
  private final KeySplit split;
  private final byte[] work;

  Marks(Persistent persistent, Transients transients, KeySplit split) {
    this.split = split;
    purchases = persistent.purchases;
    seeds = persistent.seeds;
    work = transients.work;
  }

  static short storage() {
    return (short) ((short) (Persistent.PURCHASES - Persistent.FIRST_SEEDS) * (short) (PARTS * PART_LENGTH));
  }

  private static short part(byte purchase, byte part) {
    return (short) ((short) ((short) ((short) (purchase - Persistent.FIRST_SEEDS) * PARTS) + part) * PART_LENGTH);
  }

  boolean has(byte purchase, byte part) {
    return seeds[part(purchase, part)] != 0;
  }

  /** Writes a part that is not valid yet. */
  void write(byte purchase, byte part, byte[] labels, short labelsAt, byte[] keys, short keysAt) {
    short at = part(purchase, part);
    Util.arrayCopy(labels, labelsAt, seeds, (short) (at + LABELS), LABELS_LENGTH);
    Util.arrayCopy(keys, keysAt, seeds, (short) (at + KEYS), KEYS_LENGTH);
  }

  /** Its last write, inside the caller's transaction. */
  void validate(byte purchase, byte part) {
    seeds[part(purchase, part)] = 1;
  }

  /** No part of a purchase is valid any more. */
  void forget(byte purchase) {
    for (byte part = 0; part < PARTS; part++) {
      if (has(purchase, part)) {
        seeds[part(purchase, part)] = 0;
      }
    }
  }

  /** Leaves no seed of a purchase that is gone. */
  static void wipe(byte[] seeds, byte purchase) {
    Util.arrayFillNonAtomic(seeds, part(purchase, (byte) 0), (short) (PARTS * PART_LENGTH), (byte) 0);
  }

  /** Whether 8 labels are each a node of the tree or FF000000. */
  static boolean inside(byte[] labels, short at) {
    short end = (short) (at + LABELS_LENGTH);
    for (short label = at; label < end; label = (short) (label + 4)) {
      short level = labels[label];
      short high = labels[(short) (label + 1)];
      short low = Util.getShort(labels, (short) (label + 2));
      boolean fits;
      if (level == -1) {
        fits = high == 0 && low == 0;
      } else if (level < 0 || level > DEPTH) {
        fits = false;
      } else if (level < 16) {
        fits = high == 0 && (short) (low & (short) ~(short) ((short) (1 << level) - 1)) == 0;
      } else {
        fits = high >= 0 && high < (short) (1 << (short) (level - 16));
      }
      if (!fits) {
        return false;
      }
    }
    return true;
  }

  /**
   * Puts the leaf of a slot u32 where {@link KeySplit#descend} has its node. Returns the purchase whose seed reaches
   * it, of several the one that ends last, or NONE.
   */
  byte leaf(byte[] m, short serviceAt, short slotAt) {
    short high = m[(short) (slotAt + 1)];
    short low = Util.getShort(m, (short) (slotAt + 2));
    if (m[slotAt] != 0 || (byte) (high & 0xF0) != 0) {
      return KeyTable.NONE;
    }
    byte found = KeyTable.NONE;
    byte seed = 0;
    for (byte purchase = Persistent.FIRST_SEEDS; purchase < Persistent.PURCHASES; purchase++) {
      short entry = purchases.at(purchase);
      if (!purchases.used(purchase) || Util.arrayCompare(purchases.entries, (short) (entry + KeyTable.SERVICE), m,
          serviceAt, (short) 4) != 0) {
        continue;
      }
      if (found == KeyTable.NONE || Unsigned.compare(purchases.entries, (short) (entry + KeyTable.TO),
          purchases.entries, (short) (purchases.at(found) + KeyTable.TO), (short) 4) > 0) {
        byte covering = covering(purchase, high, low);
        if (covering >= 0) {
          found = purchase;
          seed = covering;
        }
      }
    }
    if (found != KeyTable.NONE) {
      descend(found, seed, high, low);
    }
    return found;
  }

  /** The number of the seed that covers a slot, part and place in it, or NONE. */
  private byte covering(byte purchase, short high, short low) {
    for (byte part = 0; part < PARTS; part++) {
      if (!has(purchase, part)) {
        continue;
      }
      short label = (short) (part(purchase, part) + LABELS);
      for (byte i = 0; i < SEEDS_OF_PART; i++) {
        if (covers(label, high, low)) {
          return (byte) ((byte) (part * SEEDS_OF_PART) + i);
        }
        label = (short) (label + 4);
      }
    }
    return KeyTable.NONE;
  }

  /** Whether the label's index is the slot's first `level` bits of 20; `high` are the first 4 of them. */
  private boolean covers(short label, short high, short low) {
    short level = seeds[label];
    if (level < 0) {
      return false;
    }
    short left = (short) (DEPTH - level);
    short indexHigh = 0;
    short indexLow;
    if (left >= 16) {
      indexLow = (short) (high >> (short) (left - 16));
    } else if (left == 0) {
      indexHigh = high;
      indexLow = low;
    } else {
      short kept = (short) (16 - left);
      indexHigh = (short) (high >> left);
      indexLow = (short) ((short) (low >> left) & (short) ((short) (1 << kept) - 1));
      indexLow = (short) (indexLow | (short) (high << kept));
    }
    return seeds[(short) (label + 1)] == (byte) indexHigh && Util.getShort(seeds, (short) (label + 2)) == indexLow;
  }

  private void descend(byte purchase, byte seed, short high, short low) {
    short at = part(purchase, (byte) (seed / SEEDS_OF_PART));
    short i = (short) (seed % SEEDS_OF_PART);
    Util.arrayCopyNonAtomic(seeds, (short) ((short) (at + KEYS) + (short) (16 * i)), work, KeySplit.SEED, (short) 16);
    short bit = (short) (DEPTH - 1 - seeds[(short) ((short) (at + LABELS) + (short) (4 * i))]);
    for (; bit >= 0; bit--) {
      short side = bit >= 16 ? (short) (high >> (short) (bit - 16)) : (short) (low >> bit);
      split.descend((byte) (side & 1));
    }
  }
}
