package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.Util;

/** A session: opened, debited group by group, closed or found torn (protocol 7.3). */
final class Session {
  private static final short AMOUNT = 6;
  /** Where an amount u48 stands in an 8-octet register. */
  private static final short LOW = 2;
  private static final short MOST_QUANTA = 255;
  /** 2^39 - 1, the most that may be taken. */
  private static final byte[] MOST_TAKEN = {0, 0x7F, -1, -1, -1, -1};

  private final Purse purse;
  private final Receipts receipts;
  private final Streams streams;
  private final KeyTable purchases;
  private final KeyTable contents;
  private final byte[] ram;
  private final byte[] work;

  Session(Persistent persistent, Transients transients, Purse purse, Receipts receipts, Streams streams) {
    this.purse = purse;
    this.receipts = receipts;
    this.streams = streams;
    purchases = persistent.purchases;
    contents = transients.contents;
    ram = transients.ram;
    work = transients.work;
  }

  /** Before the first command after a reset: finds the record and settles what the reset tore. */
  void start() {
    if (ram[Transients.STARTED] != 0) {
      return;
    }
    purse.locate();
    purse.copy(PurseRecord.MARKS, PurseRecord.MARKS_LENGTH, ram, Transients.MARKS);
    if (!Unsigned.isZero(purse.records, purse.at(PurseRecord.TAKEN), AMOUNT)) {
      purse.copy(PurseRecord.USED_AT_TAKE, Ticks.LENGTH, ram, Transients.A);
      Ticks.toMicroUnits(ram, Transients.A);
      Unsigned.widen(purse.records, purse.at(PurseRecord.TAKEN), AMOUNT, ram, Transients.B);
      Unsigned.subtract(ram, Transients.B, Ticks.LENGTH, ram, Transients.A, Ticks.LENGTH);
      settle(Receipts.TORN, purse.records, purse.at(PurseRecord.TOTALS));
    }
    ram[Transients.STARTED] = 1;
  }

  boolean isOpen() {
    return !Unsigned.isZero(ram, Transients.SERVICE, (short) 4);
  }

  boolean isFor(byte[] a, short serviceAt) {
    return Util.arrayCompare(ram, Transients.SERVICE, a, serviceAt, (short) 4) == 0;
  }

  /** OPEN for the service u32 at `at`. */
  void open(byte[] data, short at) {
    if (Unsigned.isZero(data, at, (short) 4)) {
      ISOException.throwIt(StatusWords.BAD_FIELD);
    }
    if (!isFor(data, at)) {
      close();
      Util.arrayCopyNonAtomic(data, at, ram, Transients.SERVICE, (short) 4);
    }
    streams.forgetOpened();
  }

  /** Ends the open session, if there is one: receipt and record when something was taken. */
  void close() {
    if (!isOpen()) {
      return;
    }
    if (!Unsigned.isZero(purse.records, purse.at(PurseRecord.TAKEN), AMOUNT)) {
      Util.arrayCopyNonAtomic(ram, Transients.USED, ram, Transients.A, Ticks.LENGTH);
      Ticks.toMicroUnits(ram, Transients.A);
      Util.arrayFillNonAtomic(ram, Transients.B, Ticks.LENGTH, (byte) 0);
      settle(Receipts.CLOSED, ram, Transients.TOTALS);
    }
    Util.arrayFillNonAtomic(ram, Transients.SERVICE, (short) 4, (byte) 0);
    Util.arrayFillNonAtomic(ram, Transients.USED, Ticks.LENGTH, (byte) 0);
    Util.arrayFillNonAtomic(ram, Transients.LIMIT, Ticks.LENGTH, (byte) 0);
    Util.arrayFillNonAtomic(ram, Transients.TOTALS, PurseRecord.TOTALS_LENGTH, (byte) 0);
    streams.forgetOpened();
  }

  /** Receipt into the ring, then the record: amount in register A, torn part in B. */
  private void settle(byte reason, byte[] totals, short totalsAt) {
    receipts.write(reason, ram, (short) (Transients.A + LOW), (short) (Transients.B + LOW), totals, totalsAt);
    purse.begin();
    if (reason == Receipts.CLOSED) {
      giveBack();
    }
    Unsigned.add(work, PurseRecord.TORN, AMOUNT, ram, (short) (Transients.B + LOW), AMOUNT);
    Unsigned.add(ram, Transients.A, Ticks.LENGTH, ram, Transients.B, Ticks.LENGTH);
    Unsigned.add(work, PurseRecord.SPENT, AMOUNT, ram, (short) (Transients.A + LOW), AMOUNT);
    Unsigned.add(work, PurseRecord.UNACKNOWLEDGED, AMOUNT, ram, (short) (Transients.A + LOW), AMOUNT);
    Unsigned.increment(work, PurseRecord.WRITTEN, (short) 4);
    Util.arrayFillNonAtomic(work, PurseRecord.SERVICE, (short) (PurseRecord.LAST_FLAT - PurseRecord.SERVICE), (byte) 0);
    Util.arrayCopyNonAtomic(ram, Transients.MARKS, work, PurseRecord.MARKS, PurseRecord.MARKS_LENGTH);
    purse.commit();
  }

  /**
   * Debits and commits a group that passed every check of DECODE; throws 9404, 9402, 9401 or 9403 with nothing changed.
   *
   * @param part the card part at `at`, its fields as {@link Decoder} names them
   * @param content slot of its content key
   * @param stream its place among the marks, or -1
   */
  void debit(byte[] part, short at, byte content, byte stream) {
    short entry = contents.at(content);
    byte[] terms = contents.entries;
    charge(part, at, terms, entry);
    addUp(part, at, terms, (short) (entry + KeyTable.SEGMENT));
    streams.mark(stream, part, (short) (at + Decoder.SSRC), (short) (at + Decoder.GROUP));
    if (Unsigned.compare(part, (short) (at + Decoder.TIME), ram, Transients.HIGHEST_TIME, (short) 4) > 0) {
      Util.arrayCopyNonAtomic(part, (short) (at + Decoder.TIME), ram, Transients.HIGHEST_TIME, (short) 4);
    }
  }

  /** The same for 16..240 octets that say nothing of themselves; what they may cost is flat. */
  void debitBlind(short octets, short entry) {
    byte[] terms = contents.entries;
    charge(terms, entry, terms, entry);
    ram[Transients.B] = (byte) octets;
    addOctets(ram, Transients.B, (short) 1, terms, (short) (entry + KeyTable.SEGMENT));
  }

  private void charge(byte[] part, short at, byte[] terms, short entry) {
    byte tariff = terms[(short) (entry + KeyTable.TARIFF)];
    boolean flat = tariff == Tariffs.FLAT;
    if (tariff != Tariffs.FREE && !(flat && bought(terms, entry))) {
      short units = (short) (at + (tariff == Tariffs.DURATION ? Decoder.DURATION : Decoder.OCTETS));
      Ticks.charge(ram, tariff, part, units, terms, (short) (entry + KeyTable.PRICE));
      if (!Unsigned.isZero(ram, Transients.CHARGE, Ticks.LENGTH)) {
        Util.arrayCopyNonAtomic(ram, Transients.USED, ram, Transients.NEED, Ticks.LENGTH);
        Unsigned.add(ram, Transients.NEED, Ticks.LENGTH, ram, Transients.CHARGE, Ticks.LENGTH);
        if (flat || Unsigned.compare(ram, Transients.NEED, ram, Transients.LIMIT, Ticks.LENGTH) > 0) {
          take(terms, entry, flat, part == terms ? null : part, (short) (at + Decoder.TIME));
        }
        Util.arrayCopyNonAtomic(ram, Transients.NEED, ram, Transients.USED, Ticks.LENGTH);
      }
    }
  }

  /** Whether the content key's service and segment are those of the last flat charge. */
  private boolean bought(byte[] terms, short entry) {
    short last = purse.at(PurseRecord.LAST_FLAT);
    return Util.arrayCompare(purse.records, last, terms, (short) (entry + KeyTable.SERVICE), (short) 4) == 0
        && Util.arrayCompare(purse.records, (short) (last + 4), terms, (short) (entry + KeyTable.SEGMENT),
            (short) 4) == 0;
  }

  /** A take: one record that covers {@link Transients#NEED} ticks. */
  private void take(byte[] terms, short entry, boolean flat, byte[] part, short timeAt) {
    boolean first = Unsigned.isZero(purse.records, purse.at(PurseRecord.TAKEN), AMOUNT);
    if (first && !purse.maySpend()) {
      ISOException.throwIt(StatusWords.RECEIPTS_DUE);
    }
    byte purchase = terms[(short) (entry + KeyTable.PURCHASE)];
    more((short) (purchases.at(purchase) + KeyTable.QUANTUM));
    purse.begin();
    spendOfDay(part, timeAt);
    if (first) {
      Unsigned.increment(work, PurseRecord.SESSION, (short) 4);
      Util.arrayCopyNonAtomic(ram, Transients.SERVICE, work, PurseRecord.SERVICE, (short) 4);
    }
    Unsigned.add(work, PurseRecord.TAKEN, AMOUNT, ram, (short) (Transients.B + LOW), AMOUNT);
    short used = flat ? Transients.NEED : Transients.USED;
    Util.arrayCopyNonAtomic(ram, used, work, PurseRecord.USED_AT_TAKE, Ticks.LENGTH);
    Util.arrayCopyNonAtomic(ram, Transients.TOTALS, work, PurseRecord.TOTALS, PurseRecord.TOTALS_LENGTH);
    Util.arrayCopyNonAtomic(ram, Transients.MARKS, work, PurseRecord.MARKS, PurseRecord.MARKS_LENGTH);
    if (flat) {
      Util.arrayCopyNonAtomic(terms, (short) (entry + KeyTable.SERVICE), work, PurseRecord.LAST_FLAT, (short) 4);
      Util.arrayCopyNonAtomic(terms, (short) (entry + KeyTable.SEGMENT), work, (short) (PurseRecord.LAST_FLAT + 4),
          (short) 4);
    }
    purse.commit();
    Unsigned.widen(work, PurseRecord.TAKEN, AMOUNT, ram, Transients.LIMIT);
    Ticks.ofMicroUnits(ram, Transients.LIMIT);
  }

  /**
   * Puts t of 7.3 step 2 into register B, and the least it must be into A. In micro-units: (taken + t) x 18,000,000 >= need just when t is not below
   * ceil(need / 18,000,000) - taken, which stays far below 64 bits where k x quantum in ticks would not.
   */
  private void more(short quantumAt) {
    short taken = purse.at(PurseRecord.TAKEN);
    Util.arrayFillNonAtomic(ram, Transients.B, Ticks.LENGTH, (byte) 0);
    Util.arrayCopyNonAtomic(ram, Transients.NEED, ram, Transients.A, Ticks.LENGTH);
    Ticks.toMicroUnits(ram, Transients.A);
    short missing = (short) (Transients.A + LOW);
    if (Unsigned.compare(ram, missing, purse.records, taken, AMOUNT) <= 0) {
      Util.arrayFillNonAtomic(ram, Transients.A, Ticks.LENGTH, (byte) 0);
      return;
    }
    Unsigned.subtract(ram, missing, AMOUNT, purse.records, taken, AMOUNT);
    // At most 255 x (2^39 - 1): 48 bits hold it.
    short sum = (short) (Transients.B + LOW);
    short k = 0;
    do {
      if (k == MOST_QUANTA) {
        ISOException.throwIt(StatusWords.ABOVE_CEILING);
      }
      Unsigned.add(ram, sum, AMOUNT, purchases.entries, quantumAt, AMOUNT);
      k++;
    } while (Unsigned.compare(ram, sum, ram, missing, AMOUNT) < 0);
    // Available, then what is left to 2^39 - 1, in `work`, which no one uses now.
    purse.available(work, (short) 0);
    least(sum, LOW);
    Util.arrayCopyNonAtomic(MOST_TAKEN, (short) 0, work, LOW, AMOUNT);
    Unsigned.subtract(work, LOW, AMOUNT, purse.records, taken, AMOUNT);
    least(sum, LOW);
    if (Unsigned.compare(ram, sum, ram, missing, AMOUNT) < 0) {
      ISOException.throwIt(StatusWords.NO_CREDIT);
    }
  }

  /** Step 3 of 7.3, on the record in `work`: moves the day, lowers t in register B to what the day has left, counts it. */
  private void spendOfDay(byte[] part, short timeAt) {
    short t = (short) (Transients.B + LOW);
    // What is blind has no media time, and counts against the day of the record.
    if (part != null) {
      moveDay(part, timeAt);
    }
    Util.arrayCopyNonAtomic(work, PurseRecord.SPEND_LIMIT, ram, Transients.C, AMOUNT);
    subtractOrZero(ram, Transients.C, work, PurseRecord.SPENT_OF_DAY);
    if (Unsigned.compare(ram, Transients.C, ram, t, AMOUNT) < 0) {
      Util.arrayCopyNonAtomic(ram, Transients.C, ram, t, AMOUNT);
    }
    if (Unsigned.compare(ram, t, ram, (short) (Transients.A + LOW), AMOUNT) < 0) {
      ISOException.throwIt(StatusWords.SPEND_LIMIT);
    }
    Unsigned.add(work, PurseRecord.SPENT_OF_DAY, AMOUNT, ram, t, AMOUNT);
  }

  private void moveDay(byte[] part, short timeAt) {
    short day = (short) (Transients.C + 2);
    Util.arrayCopyNonAtomic(part, timeAt, ram, Transients.C, (short) 4);
    // 86,400 = 120 x 120 x 6, each of them below 128.
    Unsigned.divide(ram, Transients.C, (short) 4, (short) 120);
    Unsigned.divide(ram, Transients.C, (short) 4, (short) 120);
    Unsigned.divide(ram, Transients.C, (short) 4, (short) 6);
    if (Unsigned.compare(ram, day, work, PurseRecord.DAY, (short) 2) > 0) {
      Util.arrayCopyNonAtomic(ram, day, work, PurseRecord.DAY, (short) 2);
      Util.arrayFillNonAtomic(work, PurseRecord.SPENT_OF_DAY, AMOUNT, (byte) 0);
    }
  }

  /** CLOSE, on the record in `work`: what was taken and not used, its amount in register A, was not spent of the day. */
  private void giveBack() {
    Util.arrayCopyNonAtomic(work, PurseRecord.TAKEN, ram, Transients.C, AMOUNT);
    Unsigned.subtract(ram, Transients.C, AMOUNT, ram, (short) (Transients.A + LOW), AMOUNT);
    subtractOrZero(work, PurseRecord.SPENT_OF_DAY, ram, Transients.C);
  }

  /** a -= b of u48, but not below 0. */
  private static void subtractOrZero(byte[] a, short aAt, byte[] b, short bAt) {
    if (Unsigned.compare(a, aAt, b, bAt, AMOUNT) <= 0) {
      Util.arrayFillNonAtomic(a, aAt, AMOUNT, (byte) 0);
    } else {
      Unsigned.subtract(a, aAt, AMOUNT, b, bAt, AMOUNT);
    }
  }

  private void least(short sum, short workAt) {
    if (Unsigned.compare(work, workAt, ram, sum, AMOUNT) < 0) {
      Util.arrayCopyNonAtomic(work, workAt, ram, sum, AMOUNT);
    }
  }

  /** Totals of the session with this group. */
  private void addUp(byte[] part, short at, byte[] terms, short segment) {
    short totals = Transients.TOTALS;
    short from = (short) (totals + PurseRecord.TOTAL_FROM);
    short time = (short) (at + Decoder.TIME);
    if (Unsigned.isZero(ram, from, (short) 4)) {
      Util.arrayCopyNonAtomic(part, time, ram, from, (short) 4);
    }
    Util.arrayCopyNonAtomic(part, time, ram, (short) (totals + PurseRecord.TOTAL_TO), (short) 4);
    Unsigned.add(ram, (short) (totals + PurseRecord.TOTAL_DURATION), AMOUNT, part, (short) (at + Decoder.DURATION),
        (short) 3);
    addOctets(part, (short) (at + Decoder.OCTETS), (short) 3, terms, segment);
  }

  /** Of the totals what a blind group counts in too: octets, groups, segments. */
  private void addOctets(byte[] octets, short at, short size, byte[] terms, short segment) {
    short totals = Transients.TOTALS;
    short groups = (short) (totals + PurseRecord.TOTAL_GROUPS);
    if (Unsigned.isZero(ram, groups, (short) 4)) {
      Util.arrayCopyNonAtomic(terms, segment, ram, (short) (totals + PurseRecord.FIRST_SEGMENT), (short) 4);
    }
    Unsigned.add(ram, totals, AMOUNT, octets, at, size);
    Unsigned.increment(ram, groups, (short) 4);
    Util.arrayCopyNonAtomic(terms, segment, ram, (short) (totals + PurseRecord.LAST_SEGMENT), (short) 4);
  }
}
