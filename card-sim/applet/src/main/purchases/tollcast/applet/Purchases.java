package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;

/** Purchases: loaded under a key of the card itself, ended by LEAVE (protocol 4.4, 4.5). */
final class Purchases {
  /** From here on a purchase and the message that made it have the same octets. */
  private static final short COMPARED = KeyTable.PARTS;
  private static final short COMPARED_LENGTH = (short) (KeyTable.PURCHASE_LENGTH - COMPARED);

  /** In `work`: a private half, and behind it and all that working keys are made in, the purchase of a message. */
  private static final short PRIVATE_HALF = 64;
  private static final short TERMS = (short) (WorkingKeys.END - 1);

  /** What of a purchase stands in its place, but for the kind. */
  private static final short STORED = (short) (TERMS + KeyTable.PARENT_KIND);
  private static final short STORED_LENGTH = (short) (KeyTable.PURCHASE_LENGTH - KeyTable.PARENT_KIND);

  /** Where LEAVE makes the last number u32 of the purchase, behind its data. */
  private static final short LAST_NUMBER = LeaveCommand.SIZE;

  private final KeyTable purchases;
  private final KeyStore keys;
  private final Parents parents;
  private final Marks marks;
  private final PaidSegments paid;
  private final WorkingKeys workingKeys;
  private final NumberWindow window;
  private final Uplink uplink;
  private final KeyPairs pairs;
  private final byte[] ram;
  private final byte[] work;

  Purchases(Persistent persistent, Transients transients, KeyStore keys, Parents parents, Marks marks,
      PaidSegments paid, WorkingKeys workingKeys, NumberWindow window, Uplink uplink) {
    this.keys = keys;
    this.parents = parents;
    this.marks = marks;
    this.paid = paid;
    this.workingKeys = workingKeys;
    this.window = window;
    this.uplink = uplink;
    purchases = persistent.purchases;
    pairs = persistent.keyPairs;
    ram = transients.ram;
    work = transients.work;
  }

  /** Where the ceilings stand in the message of a purchase. */
  static short ceilingsAt(short at, byte kind) {
    return (short) (at + (kind == Kinds.SEEDS ? SeedMessage.CEILINGS
        : kind == Kinds.SERVICE_PAIR ? KeyMessage.PRIVATE_HALF_BODY : KeyMessage.BODY));
  }

  /** 4.4 steps 4 and 7. */
  void load(byte[] message, short at, byte parentKind, byte parent) {
    byte kind = message[at];
    boolean seeds = kind == Kinds.SEEDS;
    boolean pair = kind == Kinds.SERVICE_PAIR;
    byte part = (byte) (message[(short) (at + KeyMessage.FLAGS)] & Marks.PART_MASK);
    short number = (short) (at + KeyMessage.NUMBER);
    describe(message, at, part);
    byte place = purchases.find(kind, message, (short) (at + KeyMessage.SERVICE), message,
        (short) (at + KeyMessage.KEY_ID));
    boolean same = place != KeyTable.NONE && Util.arrayCompare(work, (short) (TERMS + COMPARED), purchases.entries,
        (short) (purchases.at(place) + COMPARED), COMPARED_LENGTH) == 0;
    // Step 4
    if (!window.isOpen(message, number)) {
      if (!same || (seeds && !marks.hasPart(place, part))) {
        ISOException.throwIt(StatusWords.OLD_NUMBER);
      }
      return;
    }
    if (place != KeyTable.NONE && !same) {
      requireNewer(place, seeds);
    }
    // Step 7
    if (place == KeyTable.NONE) {
      place = findFree(seeds, pair);
    }
    work[(short) (TERMS + KeyTable.PARENT_KIND)] = parentKind;
    work[(short) (TERMS + KeyTable.PURCHASE)] = place;
    if (!seeds) {
      prepareKey(message, at, parentKind, parent, pair);
      if (purchases.isUsed(place) && isKeyOf(place, pair)) {
        workingKeys.wipe();
        renew(place, message, number);
        return;
      }
      // The old key goes first. After a power cut the place is free and the number still open.
      keys.free(place);
    }
    short entry = purchases.at(place);
    if (!purchases.isUsed(place)) {
      paid.forgetOthers(place, work, (short) (TERMS + KeyTable.SERVICE));
      // All but the kind, which makes the purchase valid.
      Util.arrayCopyNonAtomic(work, STORED, purchases.entries, (short) (entry + KeyTable.PARENT_KIND), STORED_LENGTH);
      if (seeds) {
        marks.invalidate(place);
      }
    }
    if (seeds) {
      short keysAt = (short) (at + SeedMessage.SEEDS);
      parents.unwrap(message, at, parentKind, parent, message, keysAt, Marks.SEEDS_LENGTH);
      marks.write(place, part, message, (short) (at + SeedMessage.LABELS), keysAt);
      Util.arrayFillNonAtomic(message, keysAt, Marks.SEEDS_LENGTH, (byte) 0);
    } else if (pair) {
      pairs.storePrivateHalf((byte) (place - Persistent.KEYED_PURCHASES), work, PRIVATE_HALF);
      workingKeys.wipe();
    } else {
      workingKeys.store(purchases.encryptionKey(place), purchases.macKey(place));
    }
    window.advance(message, number);
    JCSystem.beginTransaction();
    window.store();
    if (seeds) {
      marks.validate(place, part);
    }
    purchases.entries[entry] = kind;
    JCSystem.commitTransaction();
  }

  /** Deciphers the key of a purchase into `work`; throws 6A80 for what is not a private half. */
  private void prepareKey(byte[] message, short at, byte parentKind, byte parent, boolean pair) {
    if (!pair) {
      parents.prepareKeys(message, at, parentKind, parent);
      return;
    }
    parents.unwrap(message, at, parentKind, parent, work, PRIVATE_HALF, KeyPairs.PRIVATE_LENGTH);
    if (!KeyPairs.isPrivateHalf(work, PRIVATE_HALF)) {
      ISOException.throwIt(StatusWords.BAD_FIELD);
    }
  }

  /** Whether the key that was prepared is the one at a place. */
  private boolean isKeyOf(byte place, boolean pair) {
    return pair ? pairs.isPrivateHalfOf((byte) (place - Persistent.KEYED_PURCHASES), work, PRIVATE_HALF)
        : workingKeys.areOf(purchases.encryptionKey(place));
  }

  /** Gives a purchase that keeps its key the terms in `work`, and takes the number, as one. */
  private void renew(byte place, byte[] message, short number) {
    short entry = purchases.at(place);
    if (!isExtension(entry)) {
      keys.freeBelow(place);
    }
    window.advance(message, number);
    JCSystem.beginTransaction();
    window.store();
    Util.arrayCopy(work, STORED, purchases.entries, (short) (entry + KeyTable.PARENT_KIND), STORED_LENGTH);
    JCSystem.commitTransaction();
  }

  /** Whether the terms in `work` hold the validity of the purchase at `entry`, and no lower ceiling on a price. */
  private boolean isExtension(short entry) {
    byte[] entries = purchases.entries;
    if (Unsigned.compare(work, (short) (TERMS + KeyTable.FROM), entries, (short) (entry + KeyTable.FROM),
        (short) 4) > 0) {
      return false;
    }
    // The end, and the three ceilings on prices.
    for (short field = KeyTable.TO; field < (short) (KeyTable.CEILINGS + Ceilings.GROUP_OCTETS); field += 4) {
      if (field != KeyTable.NUMBER && Unsigned.compare(work, (short) (TERMS + field), entries,
          (short) (entry + field), (short) 4) < 0) {
        return false;
      }
    }
    return true;
  }

  /** Puts the purchase of a message into `work`, but for its place. Its number is that of its part 0 (4.6). */
  private void describe(byte[] message, short at, byte part) {
    work[(short) (TERMS + KeyTable.PARTS)] = (byte) (message[(short) (at + KeyMessage.FLAGS)] >> Marks.PARTS_SHIFT);
    Util.arrayCopyNonAtomic(message, (short) (at + KeyMessage.NAME_AND_VALIDITY), work,
        (short) (TERMS + KeyTable.NAME_AND_VALIDITY), KeyMessage.NAME_AND_VALIDITY_LENGTH);
    short number = (short) (TERMS + KeyTable.NUMBER);
    Util.arrayCopyNonAtomic(message, (short) (at + KeyMessage.NUMBER), work, number, (short) 4);
    ram[Transients.REGISTER_2] = part;
    Unsigned.subtract(work, number, (short) 4, ram, Transients.REGISTER_2, (short) 1);
    Util.arrayCopyNonAtomic(message, ceilingsAt(at, message[at]), work, (short) (TERMS + KeyTable.CEILINGS),
        KeyTable.CEILINGS_LENGTH);
  }

  /** Step 4: requires that the purchase in `work` may replace the other one at its place; throws 940B, 6A80. */
  private void requireNewer(byte place, boolean seeds) {
    if (Unsigned.compare(work, (short) (TERMS + KeyTable.NUMBER), purchases.entries, (short) (purchases.at(place) + KeyTable.NUMBER),
        (short) 4) < 0) {
      ISOException.throwIt(StatusWords.OLD_NUMBER);
    }
    // 4.6: a part of another purchase than that of the first part that came.
    if (seeds) {
      ISOException.throwIt(StatusWords.BAD_FIELD);
    }
  }

  /** A free place for a kind of purchase; throws 6A84. */
  private byte findFree(boolean seeds, boolean pair) {
    byte place;
    if (seeds) {
      place = purchases.findFree(Persistent.FIRST_SEEDS, Persistent.PURCHASES);
    } else if (pair) {
      place = purchases.findFree(Persistent.KEYED_PURCHASES, Persistent.FIRST_SEEDS);
    } else {
      place = purchases.findFree((byte) 0, Persistent.KEYED_PURCHASES);
    }
    if (place == KeyTable.NONE) {
      ISOException.throwIt(StatusWords.NO_ROOM);
    }
    return place;
  }

  /**
   * LEAVE, whose data is at `at`; throws 6A88, 6A80.
   *
   * @return length of the leave record, which is at the start of `data`
   */
  short leave(byte[] data, short at) {
    byte place = findFirst(data, at);
    if (place == KeyTable.NONE) {
      ISOException.throwIt(StatusWords.UNKNOWN_KEY);
    }
    byte[] entries = purchases.entries;
    short entry = purchases.at(place);
    short to = (short) (at + LeaveCommand.TO);
    if (Unsigned.compare(data, to, entries, (short) (entry + KeyTable.FROM), (short) 4) < 0) {
      Util.arrayCopyNonAtomic(entries, (short) (entry + KeyTable.FROM), data, to, (short) 4);
    }
    short order = Unsigned.compare(data, to, entries, (short) (entry + KeyTable.TO), (short) 4);
    if (order > 0) {
      ISOException.throwIt(StatusWords.BAD_FIELD);
    }
    short last = (short) (at + LAST_NUMBER);
    Util.arrayCopyNonAtomic(entries, (short) (entry + KeyTable.NUMBER), data, last, (short) 4);
    for (byte part = entries[(short) (entry + KeyTable.PARTS)]; part > 0; part--) {
      Unsigned.increment(data, last, (short) 4);
    }
    // An older message, or a part that was held back, would bring the purchase back.
    window.advanceAll(data, last);
    if (order < 0 || window.hasMoved()) {
      JCSystem.beginTransaction();
      window.store();
      Util.arrayCopy(data, to, entries, (short) (entry + KeyTable.TO), (short) 4);
      JCSystem.commitTransaction();
      keys.shortenBelow(place);
    }
    return uplink.signLeaveRecord(entries, entry, data);
  }

  /** The first purchase with the service and key id of LEAVE, whatever its kind, or NONE. */
  private byte findFirst(byte[] data, short at) {
    for (byte place = 0; place < purchases.count; place++) {
      if (purchases.isUsed(place) && purchases.isNamed(purchases.at(place), data,
          (short) (at + LeaveCommand.SERVICE), data, (short) (at + LeaveCommand.KEY_ID))) {
        return place;
      }
    }
    return KeyTable.NONE;
  }
}
