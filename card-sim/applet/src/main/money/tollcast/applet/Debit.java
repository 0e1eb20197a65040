package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;

/** The debit of a group (protocol 7.3): its charge, a take where what was taken does not cover it, the totals. */
final class Debit {
  private static final short MAX_QUANTA = 255;

  /** Registers, amounts in an 8-octet register each: the least that t may be, and t itself. */
  private static final short MISSING = (short) (Transients.REGISTER_1 + Amount.IN_REGISTER);
  private static final short TAKE = (short) (Transients.REGISTER_2 + Amount.IN_REGISTER);
  /** Registers: the day of a media time, while it is computed; then what the spend limit leaves of the day. */
  private static final short MEDIA_TIME = Transients.REGISTER_3;
  private static final short DAY = (short) (MEDIA_TIME + 2);
  private static final short LEFT_OF_DAY = Transients.REGISTER_3;

  private final Purse purse;
  private final Streams streams;
  private final Tally tally;
  private final PaidSegments paid;
  private final KeyTable purchases;
  private final KeyTable contents;
  private final byte[] ram;
  private final byte[] work;

  Debit(Persistent persistent, Transients transients, Purse purse, PaidSegments paid, Streams streams,
      Tally tally) {
    this.purse = purse;
    this.paid = paid;
    this.streams = streams;
    this.tally = tally;
    purchases = persistent.purchases;
    contents = transients.contents;
    ram = transients.ram;
    work = transients.work;
  }

  /**
   * Debits and commits a group that passed every check of DECODE. Throws 9404, 9402, 9401 or 9403 with nothing changed.
   *
   * @param part the card part at `at`
   * @param content row of its content key
   * @param stream place of its stream among the marks, or -1
   */
  void debitGroup(byte[] part, short at, byte content, byte stream) {
    boolean sameTime = tally.isOf(content) && tally.hasSameTime(part, at);
    if (!tally.isOf(content) || !tally.add(part, at)) {
      tally.end();
      debitAlone(part, at, contents.at(content));
      tally.start(content, contents.entries[(short) (contents.at(content) + KeyTable.TARIFF)]);
    }
    if (!sameTime) {
      moveTime(part, (short) (at + CardHeader.MEDIA_TIME));
    }
    byte place = streams.mark(stream, part, (short) (at + CardHeader.SSRC), (short) (at + CardHeader.GROUP));
    tally.remember(part, at, place);
  }

  /** Debits a group that no tally covers. */
  private void debitAlone(byte[] part, short at, short entry) {
    charge(entry, part, at, false);
    Unsigned.add(ram, (short) (Transients.TOTALS + SessionTotals.DURATION), Amount.LENGTH, part,
        (short) (at + CardHeader.DURATION), (short) 3);
    addToTotals(part, (short) (at + CardHeader.OCTETS), (short) 3, contents.entries,
        (short) (entry + KeyTable.SEGMENT_ID));
  }

  /** Moves the totals' end, and the highest media time. The totals' start is set while it is 0, which means not set. */
  private void moveTime(byte[] part, short time) {
    short from = (short) (Transients.TOTALS + SessionTotals.FROM);
    if (Unsigned.isZero(ram, from, (short) 4)) {
      Util.arrayCopyNonAtomic(part, time, ram, from, (short) 4);
    }
    Util.arrayCopyNonAtomic(part, time, ram, (short) (Transients.TOTALS + SessionTotals.TO), (short) 4);
    if (Unsigned.compare(part, time, ram, Transients.HIGHEST_TIME, (short) 4) > 0) {
      Util.arrayCopyNonAtomic(part, time, ram, Transients.HIGHEST_TIME, (short) 4);
    }
  }

  /**
   * Debits a blind DECODE, which counts as a group of its blocks' octets. It is free or flat, so `data` need not be
   * laid out as a card part.
   *
   * @param data of the command, at `at`
   * @param octets of its blocks, 16..240
   */
  void debitBlind(byte[] data, short at, short octets, short entry) {
    tally.end();
    charge(entry, data, at, true);
    ram[Transients.REGISTER_2] = (byte) octets;
    addToTotals(ram, Transients.REGISTER_2, (short) 1, contents.entries, (short) (entry + KeyTable.SEGMENT_ID));
  }

  /** Adds the charge of a group to `used`, after a take where one is needed. */
  private void charge(short entry, byte[] part, short at, boolean blind) {
    byte[] terms = contents.entries;
    byte tariff = terms[(short) (entry + KeyTable.TARIFF)];
    boolean flat = tariff == Tariffs.FLAT;
    if (tariff == Tariffs.FREE || (flat && paid.has(terms, entry))) {
      return;
    }
    short price = (short) (entry + KeyTable.PRICE);
    if (flat) {
      Ticks.computeFlatCharge(ram, terms, price);
    } else {
      Ticks.computeRate(ram, tariff, terms, price);
      Ticks.computeCharge(ram, part,
          (short) (at + (tariff == Tariffs.DURATION ? CardHeader.DURATION : CardHeader.OCTETS)));
    }
    if (Unsigned.isZero(ram, Transients.CHARGE, Ticks.LENGTH)) {
      return;
    }
    Util.arrayCopyNonAtomic(ram, Transients.USED, ram, Transients.USED_WITH_GROUP, Ticks.LENGTH);
    Unsigned.add(ram, Transients.USED_WITH_GROUP, Ticks.LENGTH, ram, Transients.CHARGE, Ticks.LENGTH);
    if (flat
        || Unsigned.compare(ram, Transients.USED_WITH_GROUP, ram, Transients.TAKEN_TICKS, Ticks.LENGTH) > 0) {
      take(entry, flat, part, at, blind);
    }
    Util.arrayCopyNonAtomic(ram, Transients.USED_WITH_GROUP, ram, Transients.USED, Ticks.LENGTH);
  }

  /** A take, steps 1 to 4: one record that covers the present group. A blind one has no media time to move the day. */
  private void take(short entry, boolean flat, byte[] part, short at, boolean blind) {
    byte[] terms = contents.entries;
    boolean first = !purse.hasTaken();
    if (first) {
      purse.requireNoReceiptsDue();
    }
    byte purchase = terms[(short) (entry + KeyTable.PURCHASE)];
    computeTake((short) (purchases.at(purchase) + (short) (KeyTable.CEILINGS + Ceilings.QUANTUM)));
    purse.begin();
    if (!blind) {
      moveDay(part, (short) (at + CardHeader.MEDIA_TIME));
    }
    spendOfDay();
    if (first) {
      Unsigned.increment(work, PurseRecord.SESSION, (short) 4);
      Util.arrayCopyNonAtomic(ram, Transients.SERVICE, work, PurseRecord.SERVICE, (short) 4);
    }
    Unsigned.add(work, PurseRecord.TAKEN, Amount.LENGTH, ram, TAKE, Amount.LENGTH);
    short usedAtTake = flat ? Transients.USED_WITH_GROUP : Transients.USED;
    Util.arrayCopyNonAtomic(ram, usedAtTake, work, PurseRecord.USED_AT_TAKE, Ticks.LENGTH);
    Util.arrayCopyNonAtomic(ram, Transients.TOTALS, work, PurseRecord.OPEN_TOTALS, SessionTotals.SIZE);
    Util.arrayCopyNonAtomic(ram, Transients.MARKS, work, PurseRecord.MARKS, Streams.MARKS_LENGTH);
    if (flat) {
      Util.arrayCopyNonAtomic(terms, (short) (entry + KeyTable.SERVICE), work, PurseRecord.LAST_FLAT_SERVICE,
          (short) 4);
      Util.arrayCopyNonAtomic(terms, (short) (entry + KeyTable.SEGMENT_ID), work, PurseRecord.LAST_FLAT_SEGMENT,
          (short) 4);
      JCSystem.beginTransaction();
      paid.add(terms, entry);
      purse.commit();
      JCSystem.commitTransaction();
    } else {
      purse.commit();
    }
    Unsigned.widen(work, PurseRecord.TAKEN, Amount.LENGTH, ram, Transients.TAKEN_TICKS);
    Ticks.fromMicroUnits(ram, Transients.TAKEN_TICKS);
  }

  /**
   * Step 2: puts t into TAKE, and the least that it must be into MISSING; throws 9402, 9401. It compares micro-units:
   * (taken + t) x 18,000,000 >= used + c exactly when t >= ceil((used + c) / 18,000,000) - taken. That stays far below
   * 64 bits, while k x quantum in ticks would not.
   */
  private void computeTake(short quantumAt) {
    short taken = purse.at(PurseRecord.TAKEN);
    Util.arrayFillNonAtomic(ram, Transients.REGISTER_2, Ticks.LENGTH, (byte) 0);
    Util.arrayCopyNonAtomic(ram, Transients.USED_WITH_GROUP, ram, Transients.REGISTER_1, Ticks.LENGTH);
    Ticks.toMicroUnits(ram, Transients.REGISTER_1);
    if (Unsigned.compare(ram, MISSING, purse.records, taken, Amount.LENGTH) <= 0) {
      // Only a flat charge comes here with enough taken: t = 0.
      Util.arrayFillNonAtomic(ram, Transients.REGISTER_1, Ticks.LENGTH, (byte) 0);
      return;
    }
    Unsigned.subtract(ram, MISSING, Amount.LENGTH, purse.records, taken, Amount.LENGTH);
    // 255 x (2^39 - 1) fits into 48 bits.
    short quanta = 0;
    do {
      if (quanta == MAX_QUANTA) {
        ISOException.throwIt(StatusWords.ABOVE_CEILING);
      }
      Unsigned.add(ram, TAKE, Amount.LENGTH, purchases.entries, quantumAt, Amount.LENGTH);
      quanta++;
    } while (Unsigned.compare(ram, TAKE, ram, MISSING, Amount.LENGTH) < 0);
    // `work` is free here: it holds what is available, then what is left to 2^39 - 1.
    purse.computeAvailable(work, (short) 0);
    Unsigned.lower(ram, TAKE, work, Amount.IN_REGISTER, Amount.LENGTH);
    Util.arrayCopyNonAtomic(Amount.MAX, (short) 0, work, (short) 0, Amount.LENGTH);
    Unsigned.subtract(work, (short) 0, Amount.LENGTH, purse.records, taken, Amount.LENGTH);
    Unsigned.lower(ram, TAKE, work, (short) 0, Amount.LENGTH);
    if (Unsigned.compare(ram, TAKE, ram, MISSING, Amount.LENGTH) < 0) {
      ISOException.throwIt(StatusWords.NO_CREDIT);
    }
  }

  /** Step 3, first half, on the record in `work`: a later day becomes the record's, with nothing spent of it. */
  private void moveDay(byte[] part, short timeAt) {
    Util.arrayCopyNonAtomic(part, timeAt, ram, MEDIA_TIME, (short) 4);
    // 86,400 = 120 x 120 x 6, each below 128.
    Unsigned.divide(ram, MEDIA_TIME, (short) 4, (short) 120);
    Unsigned.divide(ram, MEDIA_TIME, (short) 4, (short) 120);
    Unsigned.divide(ram, MEDIA_TIME, (short) 4, (short) 6);
    if (Unsigned.compare(ram, DAY, work, PurseRecord.DAY, (short) 2) > 0) {
      Util.arrayCopyNonAtomic(ram, DAY, work, PurseRecord.DAY, (short) 2);
      Util.arrayFillNonAtomic(work, PurseRecord.SPENT_OF_DAY, Amount.LENGTH, (byte) 0);
    }
  }

  /** Step 3, second half, on the record in `work`: lowers t to what the day has left and counts it; throws 9403. */
  private void spendOfDay() {
    Util.arrayCopyNonAtomic(work, PurseRecord.SPEND_LIMIT, ram, LEFT_OF_DAY, Amount.LENGTH);
    Unsigned.subtractOrZero(ram, LEFT_OF_DAY, work, PurseRecord.SPENT_OF_DAY, Amount.LENGTH);
    Unsigned.lower(ram, TAKE, ram, LEFT_OF_DAY, Amount.LENGTH);
    if (Unsigned.compare(ram, TAKE, ram, MISSING, Amount.LENGTH) < 0) {
      ISOException.throwIt(StatusWords.SPEND_LIMIT);
    }
    Unsigned.add(work, PurseRecord.SPENT_OF_DAY, Amount.LENGTH, ram, TAKE, Amount.LENGTH);
  }

  /** Adds to the totals what a blind group counts in, too: octets, groups and segments. */
  private void addToTotals(byte[] octets, short at, short size, byte[] terms, short segment) {
    short groups = (short) (Transients.TOTALS + SessionTotals.GROUPS);
    if (Unsigned.isZero(ram, groups, (short) 4)) {
      Util.arrayCopyNonAtomic(terms, segment, ram, (short) (Transients.TOTALS + SessionTotals.FIRST_SEGMENT),
          (short) 4);
    }
    Unsigned.add(ram, (short) (Transients.TOTALS + SessionTotals.OCTETS), Amount.LENGTH, octets, at, size);
    Unsigned.increment(ram, groups, (short) 4);
    Util.arrayCopyNonAtomic(terms, segment, ram, (short) (Transients.TOTALS + SessionTotals.LAST_SEGMENT), (short) 4);
  }
}
