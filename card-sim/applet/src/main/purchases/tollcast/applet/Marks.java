package tollcast.applet;

import javacard.framework.Util;

/** The seeds of seed purchases, and the leaves that they reach in a tree of 2^20 slots of time (protocol 4.6). */
final class Marks {
  /** The flags of a seed part: its number, and above it the number of parts less one. */
  static final byte PART_MASK = 0x03;
  static final short PARTS_SHIFT = 2;
  private static final byte RESERVED_FLAGS = (byte) 0xF0;

  static final byte PARTS = 4;
  static final short SEEDS_LENGTH = 128;
  static final short LABELS_LENGTH = 32;

  private static final byte SEEDS_OF_PART = 8;
  private static final byte DEPTH = 20;
  /** Level of a label where there is no seed. */
  private static final short NO_SEED = -1;

  /** A stored part: 1 when it is valid, labels (level u8, index u24), seeds. */
  private static final short LABELS = 1;
  private static final short SEEDS = 33;
  private static final short PART_LENGTH = 161;

  static final short STORAGE_LENGTH =
      (short) ((Persistent.PURCHASES - Persistent.FIRST_SEEDS) * PARTS * PART_LENGTH);

  private final KeyTable purchases;
  private final byte[] seeds;
  private final WorkingKeys workingKeys;
  private final byte[] work;

  Marks(Persistent persistent, Transients transients, WorkingKeys workingKeys) {
    this.workingKeys = workingKeys;
    purchases = persistent.purchases;
    seeds = persistent.seeds;
    work = transients.work;
  }

  /** Offset in `seeds` of a part of a purchase. */
  private static short offsetOf(byte purchase, byte part) {
    return (short) ((short) ((short) ((short) (purchase - Persistent.FIRST_SEEDS) * PARTS) + part) * PART_LENGTH);
  }

  boolean hasPart(byte purchase, byte part) {
    return seeds[offsetOf(purchase, part)] != 0;
  }

  /** Writes a part that is not valid yet. */
  void write(byte purchase, byte part, byte[] message, short labels, short keys) {
    short at = offsetOf(purchase, part);
    Util.arrayCopy(message, labels, seeds, (short) (at + LABELS), LABELS_LENGTH);
    Util.arrayCopy(message, keys, seeds, (short) (at + SEEDS), SEEDS_LENGTH);
  }

  /** Makes a part valid: its last write, inside the caller's transaction. */
  void validate(byte purchase, byte part) {
    seeds[offsetOf(purchase, part)] = 1;
  }

  /** Makes every part of a purchase invalid. */
  void invalidate(byte purchase) {
    for (byte part = 0; part < PARTS; part++) {
      if (hasPart(purchase, part)) {
        seeds[offsetOf(purchase, part)] = 0;
      }
    }
  }

  /** Overwrites the seeds of a purchase that is gone. */
  static void wipe(byte[] seeds, byte purchase) {
    Util.arrayFillNonAtomic(seeds, offsetOf(purchase, (byte) 0), (short) (PARTS * PART_LENGTH), (byte) 0);
  }

  /** Whether the flags of a seed part name one of its parts, with nothing reserved in use. */
  static boolean areFlagsValid(byte flags) {
    return (byte) (flags & RESERVED_FLAGS) == 0
        && (byte) (flags & PART_MASK) <= (byte) (flags >> PARTS_SHIFT);
  }

  /** Whether each of 8 labels is a node of the tree or FF000000. */
  static boolean areLabelsValid(byte[] labels, short at) {
    short end = (short) (at + LABELS_LENGTH);
    for (short label = at; label < end; label = (short) (label + SeedLabel.SIZE)) {
      short index = (short) (label + SeedLabel.INDEX);
      if (!isLabelValid(labels[label], labels[index], Util.getShort(labels, (short) (index + 1)))) {
        return false;
      }
    }
    return true;
  }

  /** Whether an index, its highest 8 bits and its low 16, is below 2^level. */
  private static boolean isLabelValid(short level, short high, short low) {
    if (level == NO_SEED) {
      return high == 0 && low == 0;
    }
    if (level < 0 || level > DEPTH) {
      return false;
    }
    if (level < 16) {
      return high == 0 && (short) (low & (short) ~(short) ((short) (1 << level) - 1)) == 0;
    }
    return high >= 0 && high < (short) (1 << (short) (level - 16));
  }

  /**
   * Derives the leaf of a slot u32 to {@link WorkingKeys#NODE}.
   *
   * @return the purchase whose seed reaches it, of several the one that ends last, or NONE
   */
  byte deriveLeaf(byte[] message, short serviceAt, short slotAt) {
    short high = message[(short) (slotAt + 1)];
    short low = Util.getShort(message, (short) (slotAt + 2));
    // A slot has 20 bits: 4 in `high`, 16 in `low`.
    if (message[slotAt] != 0 || (byte) (high & 0xF0) != 0) {
      return KeyTable.NONE;
    }
    byte found = KeyTable.NONE;
    byte seed = 0;
    for (byte purchase = Persistent.FIRST_SEEDS; purchase < Persistent.PURCHASES; purchase++) {
      short entry = purchases.at(purchase);
      if (!purchases.isUsed(purchase) || Util.arrayCompare(purchases.entries, (short) (entry + KeyTable.SERVICE),
          message, serviceAt, (short) 4) != 0) {
        continue;
      }
      if (found == KeyTable.NONE || Unsigned.compare(purchases.entries, (short) (entry + KeyTable.TO),
          purchases.entries, (short) (purchases.at(found) + KeyTable.TO), (short) 4) > 0) {
        byte covering = findCovering(purchase, high, low);
        if (covering != KeyTable.NONE) {
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

  /** The first seed of a purchase that covers a slot, numbered through all parts, or NONE. */
  private byte findCovering(byte purchase, short high, short low) {
    for (byte part = 0; part < PARTS; part++) {
      if (!hasPart(purchase, part)) {
        continue;
      }
      short label = (short) (offsetOf(purchase, part) + LABELS);
      for (byte i = 0; i < SEEDS_OF_PART; i++) {
        if (covers(label, high, low)) {
          return (byte) ((byte) (part * SEEDS_OF_PART) + i);
        }
        label = (short) (label + SeedLabel.SIZE);
      }
    }
    return KeyTable.NONE;
  }

  /** Whether a label's index equals the first `level` of the slot's 20 bits; `high` has the first 4 of them. */
  private boolean covers(short label, short high, short low) {
    short level = seeds[label];
    if (level == NO_SEED) {
      return false;
    }
    short below = (short) (DEPTH - level);
    short indexHigh = 0;
    short indexLow;
    if (below >= 16) {
      indexLow = (short) (high >> (short) (below - 16));
    } else if (below == 0) {
      indexHigh = high;
      indexLow = low;
    } else {
      short kept = (short) (16 - below);
      indexHigh = (short) (high >> below);
      indexLow = (short) ((short) (low >> below) & (short) ((short) (1 << kept) - 1));
      indexLow = (short) (indexLow | (short) (high << kept));
    }
    return seeds[(short) (label + 1)] == (byte) indexHigh && Util.getShort(seeds, (short) (label + 2)) == indexLow;
  }

  /** Goes down from a seed to the leaf of a slot, by the slot's bits below the seed's level. */
  private void descend(byte purchase, byte seed, short high, short low) {
    short at = offsetOf(purchase, (byte) (seed / SEEDS_OF_PART));
    short i = (short) (seed % SEEDS_OF_PART);
    Util.arrayCopyNonAtomic(seeds, (short) ((short) (at + SEEDS) + (short) (KeyMessage.KEY_LENGTH * i)), work,
        WorkingKeys.NODE, KeyMessage.KEY_LENGTH);
    short bit = (short) (DEPTH - 1 - seeds[(short) ((short) (at + LABELS) + (short) (SeedLabel.SIZE * i))]);
    for (; bit >= 0; bit--) {
      short side = bit >= 16 ? (short) (high >> (short) (bit - 16)) : (short) (low >> bit);
      workingKeys.descend((byte) (side & 1));
    }
  }
}
