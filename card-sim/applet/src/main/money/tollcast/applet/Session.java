package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.Util;

/** A session: opened, closed, or found torn after a reset (protocol 7.3). Debit charges its groups. */
final class Session {
  /** Registers of a settlement, u64 each: amount, torn part, and what was taken and not used. */
  private static final short SETTLED = Transients.REGISTER_1;
  private static final short TORN_PART = Transients.REGISTER_2;
  private static final short UNUSED = Transients.REGISTER_3;
  /** The first two as amounts. */
  private static final short SETTLED_AMOUNT = (short) (SETTLED + Amount.IN_REGISTER);
  private static final short TORN_AMOUNT = (short) (TORN_PART + Amount.IN_REGISTER);

  private final Purse purse;
  private final ReceiptRing receipts;
  private final Streams streams;
  private final byte[] ram;
  private final byte[] work;

  Session(Transients transients, Purse purse, ReceiptRing receipts, Streams streams) {
    this.purse = purse;
    this.receipts = receipts;
    this.streams = streams;
    ram = transients.ram;
    work = transients.work;
  }

  /** The first command after a reset finds the record and settles a session that the reset tore (2.1, 7.3). */
  void startAfterReset() {
    if (ram[Transients.STARTED] != 0) {
      return;
    }
    purse.findNewest();
    purse.copy(PurseRecord.MARKS, Streams.MARKS_LENGTH, ram, Transients.MARKS);
    if (purse.hasTaken()) {
      settleTorn();
    }
    ram[Transients.STARTED] = 1;
  }

  /** The amount comes from used at take; the rest of what was taken is the torn part. */
  private void settleTorn() {
    purse.copy(PurseRecord.USED_AT_TAKE, Ticks.LENGTH, ram, SETTLED);
    Ticks.toMicroUnits(ram, SETTLED);
    Unsigned.widen(purse.records, purse.at(PurseRecord.TAKEN), Amount.LENGTH, ram, TORN_PART);
    Unsigned.subtract(ram, TORN_PART, Ticks.LENGTH, ram, SETTLED, Ticks.LENGTH);
    settle(ReceiptRing.TORN, purse.records, purse.at(PurseRecord.OPEN_TOTALS));
  }

  boolean isOpen() {
    return !Unsigned.isZero(ram, Transients.SERVICE, (short) 4);
  }

  /** Whether a session is open for the service u32 at `serviceAt`. */
  boolean isOpenFor(byte[] a, short serviceAt) {
    return Util.arrayCompare(ram, Transients.SERVICE, a, serviceAt, (short) 4) == 0;
  }

  /** OPEN for the service u32 at `at`; throws 6A80. */
  void open(byte[] data, short at) {
    if (Unsigned.isZero(data, at, (short) 4)) {
      ISOException.throwIt(StatusWords.BAD_FIELD);
    }
    if (!isOpenFor(data, at)) {
      close();
      Util.arrayCopyNonAtomic(data, at, ram, Transients.SERVICE, (short) 4);
    }
    streams.forgetOpened();
  }

  /** CLOSE: ends the open session, if there is one. A session that took nothing leaves no receipt and no record. */
  void close() {
    if (!isOpen()) {
      return;
    }
    if (purse.hasTaken()) {
      Util.arrayCopyNonAtomic(ram, Transients.USED, ram, SETTLED, Ticks.LENGTH);
      Ticks.toMicroUnits(ram, SETTLED);
      Util.arrayFillNonAtomic(ram, TORN_PART, Ticks.LENGTH, (byte) 0);
      settle(ReceiptRing.CLOSED, ram, Transients.TOTALS);
    }
    Util.arrayFillNonAtomic(ram, Transients.SERVICE, (short) 4, (byte) 0);
    Util.arrayFillNonAtomic(ram, Transients.USED, Ticks.LENGTH, (byte) 0);
    Util.arrayFillNonAtomic(ram, Transients.TAKEN_TICKS, Ticks.LENGTH, (byte) 0);
    Util.arrayFillNonAtomic(ram, Transients.TOTALS, SessionTotals.SIZE, (byte) 0);
    streams.forgetOpened();
  }

  /** Writes the receipt into the ring and then the record, as 7.3 lists its fields. */
  private void settle(byte reason, byte[] totals, short totalsAt) {
    receipts.make(reason, ram, SETTLED_AMOUNT, TORN_AMOUNT, totals, totalsAt);
    receipts.write();
    purse.begin();
    if (reason == ReceiptRing.CLOSED) {
      giveBackSpentOfDay();
    }
    Unsigned.add(work, PurseRecord.TORN, Amount.LENGTH, ram, TORN_AMOUNT, Amount.LENGTH);
    // The torn part is spent, too, and its receipt is unacknowledged.
    Unsigned.add(ram, SETTLED, Ticks.LENGTH, ram, TORN_PART, Ticks.LENGTH);
    Unsigned.add(work, PurseRecord.SPENT, Amount.LENGTH, ram, SETTLED_AMOUNT, Amount.LENGTH);
    Unsigned.add(work, PurseRecord.UNACKNOWLEDGED, Amount.LENGTH, ram, SETTLED_AMOUNT, Amount.LENGTH);
    Unsigned.increment(work, PurseRecord.RECEIPTS_WRITTEN, (short) 4);
    Util.arrayFillNonAtomic(work, PurseRecord.SERVICE, (short) 4, (byte) 0);
    Util.arrayFillNonAtomic(work, PurseRecord.TAKEN, Amount.LENGTH, (byte) 0);
    Util.arrayFillNonAtomic(work, PurseRecord.USED_AT_TAKE, Ticks.LENGTH, (byte) 0);
    Util.arrayFillNonAtomic(work, PurseRecord.OPEN_TOTALS, SessionTotals.SIZE, (byte) 0);
    Util.arrayCopyNonAtomic(ram, Transients.MARKS, work, PurseRecord.MARKS, Streams.MARKS_LENGTH);
    purse.commit();
  }

  /** What a session took and did not use was not spent of the day; changes the record in `work`. */
  private void giveBackSpentOfDay() {
    Util.arrayCopyNonAtomic(work, PurseRecord.TAKEN, ram, UNUSED, Amount.LENGTH);
    Unsigned.subtract(ram, UNUSED, Amount.LENGTH, ram, SETTLED_AMOUNT, Amount.LENGTH);
    Unsigned.subtractOrZero(work, PurseRecord.SPENT_OF_DAY, ram, UNUSED, Amount.LENGTH);
  }
}
