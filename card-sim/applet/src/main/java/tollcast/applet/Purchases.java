package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;

/** What the card's own key brings and a leave ends: service and segment keys, pairs, seeds (protocol 4.4, 4.5). */
final class Purchases {
  /** In the flags of a seed part: its number, and how many there are less one. */
  private static final byte PART = 3;
  private static final short PARTS_SHIFT = 2;

  /** What a message and the purchase it made have in common, from octet 3 on: parts, then all but the key. */
  private static final short COMMON = KeyTable.PARENT;
  private static final short COMMON_LENGTH = (short) (KeyTable.PURCHASE_LENGTH - COMMON);

  private static final short LEAVE_ID = 4;
  private static final short LEAVE_TO = 8;
  private static final short LEAVE_ROOM = 12;

  /** Where a private half stands in `work`, behind the purchase. */
  private static final short HALF = 64;

  private final KeyTable purchases;
  private final KeyStore keys;
  private final Parents parents;
  private final Marks marks;
  private final NumberWindow window;
  private final Uplink uplink;
  private final KeyPairs pairs;
  private final byte[] ram;
  private final byte[] work;

  Purchases(Persistent persistent, Transients transients, KeyStore keys, Parents parents, Marks marks,
      NumberWindow window, Uplink uplink) {
    this.keys = keys;
    this.parents = parents;
    this.marks = marks;
    this.window = window;
    this.uplink = uplink;
    purchases = persistent.purchases;
    pairs = persistent.keyPairs;
    ram = transients.ram;
    work = transients.work;
  }

  /** 4.4 steps 4 and 7. */
  void load(byte[] m, short at, byte parentKind, byte parent) {
    byte kind = m[at];
    boolean seeds = kind == Kinds.SEEDS;
    boolean pair = kind == Kinds.SERVICE_PAIR;
    byte part = (byte) (m[(short) (at + KeyMessages.FLAGS)] & PART);
    short number = (short) (at + KeyMessages.NUMBER);
    describe(m, at, part);
    byte slot = purchases.find(kind, m, (short) (at + KeyMessages.SERVICE), m, (short) (at + KeyMessages.ID));
    boolean same = slot != KeyTable.NONE && Util.arrayCompare(work, COMMON, purchases.entries,
        (short) (purchases.at(slot) + COMMON), COMMON_LENGTH) == 0;
    // Step 4
    if (!window.open(m, number)) {
      if (!same || (seeds && !marks.has(slot, part))) {
        ISOException.throwIt(StatusWords.OLD_NUMBER);
      }
      return;
    }
    if (slot != KeyTable.NONE && !same) {
      if (Unsigned.compare(work, KeyTable.NUMBER, purchases.entries, (short) (purchases.at(slot) + KeyTable.NUMBER),
          (short) 4) < 0) {
        ISOException.throwIt(StatusWords.OLD_NUMBER);
      }
      if (seeds) {
        ISOException.throwIt(StatusWords.BAD_FIELD);
      }
    }
    // Step 7
    if (slot == KeyTable.NONE) {
      slot = seeds ? purchases.free(Persistent.FIRST_SEEDS, Persistent.PURCHASES)
          : pair ? purchases.free(Persistent.KEYED_PURCHASES, Persistent.FIRST_SEEDS)
          : purchases.free((byte) 0, Persistent.KEYED_PURCHASES);
    }
    if (slot == KeyTable.NONE) {
      ISOException.throwIt(StatusWords.NO_ROOM);
    }
    if (pair) {
      parents.unwrap(m, at, parentKind, parent, work, HALF, KeyPairs.PRIVATE_LENGTH);
      if (!KeyPairs.inside(work, HALF)) {
        ISOException.throwIt(StatusWords.BAD_FIELD);
      }
    }
    // What stood in the slot goes first: after a power cut the slot is free and the number still good.
    if (!seeds) {
      keys.drop(slot);
    }
    short entry = purchases.at(slot);
    if (!purchases.used(slot)) {
      work[KeyTable.PARENT_KIND] = parentKind;
      work[KeyTable.PURCHASE] = slot;
      Util.arrayCopyNonAtomic(work, KeyTable.PARENT_KIND, purchases.entries, (short) (entry + KeyTable.PARENT_KIND),
          (short) (KeyTable.PURCHASE_LENGTH - 1));
      if (seeds) {
        marks.forget(slot);
      }
    }
    if (seeds) {
      short keysAt = (short) (at + KeyMessages.WRAPPED);
      parents.unwrap(m, at, parentKind, parent, m, keysAt, Marks.KEYS_LENGTH);
      marks.write(slot, part, m, (short) (at + KeyMessages.SEED_LABELS), m, keysAt);
      Util.arrayFillNonAtomic(m, keysAt, Marks.KEYS_LENGTH, (byte) 0);
    } else if (pair) {
      pairs.store((byte) (slot - Persistent.KEYED_PURCHASES), work, HALF);
      Util.arrayFillNonAtomic(work, HALF, KeyPairs.PRIVATE_LENGTH, (byte) 0);
    } else {
      parents.unwrapInto(m, at, parentKind, parent, purchases, slot);
    }
    window.advance(m, number);
    JCSystem.beginTransaction();
    window.store();
    if (seeds) {
      marks.validate(slot, part);
    }
    purchases.entries[entry] = kind;
    JCSystem.commitTransaction();
  }

  /** Puts the purchase that a message makes into `work`, but for its place; its number is that of its part 0. */
  private void describe(byte[] m, short at, byte part) {
    work[COMMON] = (byte) (m[(short) (at + KeyMessages.FLAGS)] >> PARTS_SHIFT);
    Util.arrayCopyNonAtomic(m, (short) (at + KeyMessages.SERVICE), work, KeyTable.SERVICE, (short) 20);
    ram[Transients.B] = part;
    Unsigned.subtract(work, KeyTable.NUMBER, (short) 4, ram, Transients.B, (short) 1);
    Util.arrayCopyNonAtomic(m, KeyMessages.ceilings(at, m[at]), work, KeyTable.CEILING_OCTETS_PRICE,
        KeyMessages.CEILINGS_LENGTH);
  }

  /** LEAVE: service u32, key id u32, to u32 at `at`. Writes the leave record to the start of `d`; returns its length. */
  short leave(byte[] d, short at) {
    byte slot = find(d, at);
    if (slot == KeyTable.NONE) {
      ISOException.throwIt(StatusWords.UNKNOWN_KEY);
    }
    byte[] entries = purchases.entries;
    short entry = purchases.at(slot);
    short to = (short) (at + LEAVE_TO);
    if (Unsigned.compare(d, to, entries, (short) (entry + KeyTable.FROM), (short) 4) < 0) {
      Util.arrayCopyNonAtomic(entries, (short) (entry + KeyTable.FROM), d, to, (short) 4);
    }
    short order = Unsigned.compare(d, to, entries, (short) (entry + KeyTable.TO), (short) 4);
    if (order > 0) {
      ISOException.throwIt(StatusWords.BAD_FIELD);
    }
    short last = (short) (at + LEAVE_ROOM);
    Util.arrayCopyNonAtomic(entries, (short) (entry + KeyTable.NUMBER), d, last, (short) 4);
    for (byte part = entries[(short) (entry + COMMON)]; part > 0; part--) {
      Unsigned.increment(d, last, (short) 4);
    }
    // An older message, or a part that was held back, would bring the purchase back.
    window.advanceAll(d, last);
    if (order < 0 || window.moved()) {
      JCSystem.beginTransaction();
      window.store();
      Util.arrayCopy(d, to, entries, (short) (entry + KeyTable.TO), (short) 4);
      JCSystem.commitTransaction();
      keys.shorten(slot);
    }
    return uplink.leaveRecord(entries, entry, d);
  }

  /** The first purchase of a service and id, whatever its kind. */
  private byte find(byte[] d, short at) {
    for (byte slot = 0; slot < purchases.count; slot++) {
      short entry = purchases.at(slot);
      if (purchases.used(slot)
          && Util.arrayCompare(purchases.entries, (short) (entry + KeyTable.SERVICE), d, at, (short) 4) == 0
          && Util.arrayCompare(purchases.entries, (short) (entry + KeyTable.ID), d, (short) (at + LEAVE_ID),
              (short) 4) == 0) {
        return slot;
      }
    }
    return KeyTable.NONE;
  }
}
