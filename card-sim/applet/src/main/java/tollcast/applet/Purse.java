package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.Util;

/**
 * The purse: the record with the highest sequence of 64 (protocol 7.2). A change is made on a copy in `work` and
 * written by one atomic copy to the next slot; nothing counts before that.
 */
final class Purse {
  private static final short AMOUNT = 6;

  final byte[] records;
  final byte[] work;
  private final Persistent persistent;
  private final byte[] ram;

  Purse(Persistent persistent, Transients transients) {
    this.persistent = persistent;
    records = persistent.records;
    work = transients.work;
    ram = transients.ram;
  }

  /** Writes the first record: zeros with sequence 1 and the spend limit of DGI 0002. */
  void create() {
    Util.arrayFillNonAtomic(work, (short) 0, PurseRecord.LENGTH, (byte) 0);
    Util.arrayCopyNonAtomic(persistent.limits, Persistent.SPEND_LIMIT, work, PurseRecord.SPEND_LIMIT, AMOUNT);
    work[(short) (PurseRecord.SEQUENCE + 3)] = 1;
    commit();
  }

  /** Whether there is a record: personalisation has been completed. */
  boolean exists() {
    return !Unsigned.isZero(records, at(PurseRecord.SEQUENCE), (short) 4);
  }

  /** Finds the newest record after a reset. */
  void locate() {
    byte newest = 0;
    for (byte slot = 1; slot < Persistent.RECORDS; slot++) {
      if (Unsigned.compare(records, (short) (slot * PurseRecord.LENGTH), records, (short) (newest * PurseRecord.LENGTH),
          (short) 4) > 0) {
        newest = slot;
      }
    }
    ram[Transients.NEWEST] = newest;
  }

  /** Offset in `records` of a field of the newest record. */
  short at(short field) {
    return (short) ((short) (ram[Transients.NEWEST] * PurseRecord.LENGTH) + field);
  }

  /** Copies the newest record to `work` with the next sequence, to be changed and committed. */
  void begin() {
    Util.arrayCopyNonAtomic(records, at((short) 0), work, (short) 0, PurseRecord.LENGTH);
    Unsigned.increment(work, PurseRecord.SEQUENCE, (short) 4);
  }

  /** Writes `work` as the newest record. */
  void commit() {
    byte slot = (byte) (work[(short) (PurseRecord.SEQUENCE + 3)] & (byte) (Persistent.RECORDS - 1));
    Util.arrayCopy(work, (short) 0, records, (short) (slot * PurseRecord.LENGTH), PurseRecord.LENGTH);
    ram[Transients.NEWEST] = slot;
  }

  /** SET SPEND LIMIT to the u48 at `at`: one record. */
  void limitSpending(byte[] data, short at) {
    begin();
    Util.arrayCopyNonAtomic(data, at, work, PurseRecord.SPEND_LIMIT, AMOUNT);
    commit();
  }

  /** Loaded - spent into an 8-octet register, below zero where credit was used. */
  void balance(byte[] register, short to) {
    Unsigned.widen(records, at(PurseRecord.LOADED), AMOUNT, register, to);
    Unsigned.subtract(register, to, Ticks.LENGTH, records, at(PurseRecord.SPENT), AMOUNT);
  }

  /** Loaded + credit limit - spent - taken into an 8-octet register; 0 where a lowered limit would make it less. */
  void available(byte[] register, short to) {
    balance(register, to);
    Unsigned.add(register, to, Ticks.LENGTH, records, at(PurseRecord.CREDIT_LIMIT), AMOUNT);
    Unsigned.subtract(register, to, Ticks.LENGTH, records, at(PurseRecord.TAKEN), AMOUNT);
    if (register[to] < 0) {
      Util.arrayFillNonAtomic(register, to, Ticks.LENGTH, (byte) 0);
    }
  }

  /** Fewer than 32 receipts wait, and less than the most unacknowledged amount with them (protocol 7.3). */
  boolean maySpend() {
    Util.arrayCopyNonAtomic(records, at(PurseRecord.WRITTEN), ram, Transients.B, (short) 4);
    Unsigned.subtract(ram, Transients.B, (short) 4, records, at(PurseRecord.ACKNOWLEDGED), (short) 4);
    short waiting = ram[(short) (Transients.B + 3)];
    return Unsigned.isZero(ram, Transients.B, (short) 3) && waiting >= 0 && waiting < Persistent.RECEIPTS
        && Unsigned.compare(records, at(PurseRecord.UNACKNOWLEDGED), persistent.card, Persistent.MOST_UNACKNOWLEDGED,
            AMOUNT) < 0;
  }

  /** GET PURSE: writes the answer of 7.2 to the start of `answer` and returns its length, 70. */
  short describe(byte[] answer) {
    short to = copy(PurseRecord.SEQUENCE, (short) 22, answer, (short) 0);
    to = Util.arrayCopyNonAtomic(persistent.card, Persistent.MAXIMUM_BALANCE, answer, to, AMOUNT);
    to = Util.arrayCopyNonAtomic(persistent.card, Persistent.CURRENCY, answer, to, (short) 2);
    to = copy(PurseRecord.LOAD_NUMBER, (short) 4, answer, to);
    to = copy(PurseRecord.SESSION, (short) 4, answer, to);
    to = Util.arrayCopyNonAtomic(ram, Transients.SERVICE, answer, to, (short) 4);
    to = copy(PurseRecord.TAKEN, AMOUNT, answer, to);
    to = Util.arrayCopyNonAtomic(ram, Transients.USED, answer, to, Ticks.LENGTH);
    return copy(PurseRecord.WRITTEN, (short) 14, answer, to);
  }

  /** GET LOG: copies the record so many steps back, 0..63, to the start of `answer`. Throws 6A82. */
  short log(byte back, byte[] answer) {
    short low = at((short) (PurseRecord.SEQUENCE + 3));
    if (Unsigned.isZero(records, at(PurseRecord.SEQUENCE), (short) 3) && (short) (records[low] & 0xFF) <= back) {
      ISOException.throwIt(StatusWords.NOT_FOUND);
    }
    short slot = (short) ((short) (ram[Transients.NEWEST] - back) & (short) (Persistent.RECORDS - 1));
    return Util.arrayCopyNonAtomic(records, (short) (slot * PurseRecord.LENGTH), answer, (short) 0, PurseRecord.LENGTH);
  }

  /** Copies fields of the newest record and returns the offset after them. */
  short copy(short field, short length, byte[] to, short at) {
    return Util.arrayCopyNonAtomic(records, at(field), to, at, length);
  }
}
