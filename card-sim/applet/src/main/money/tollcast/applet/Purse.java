package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.Util;

/**
 * The purse: of 64 records the one with the highest sequence (protocol 7.2). A change is made on a copy in `work` and
 * written by one atomic copy to the next place. Nothing counts before that copy.
 */
final class Purse {
  /** Registers: receipts written - acknowledged, u32. */
  private static final short WAITING = Transients.REGISTER_2;

  final byte[] records;
  private final Persistent persistent;
  private final byte[] ram;
  private final byte[] work;

  Purse(Persistent persistent, Transients transients) {
    this.persistent = persistent;
    records = persistent.records;
    work = transients.work;
    ram = transients.ram;
  }

  /** Writes the first record: zeros with sequence 1 and the spend limit of DGI 0002. */
  void create() {
    Util.arrayFillNonAtomic(work, (short) 0, PurseRecord.SIZE, (byte) 0);
    Util.arrayCopyNonAtomic(persistent.limits, CardLimits.SPEND_LIMIT, work, PurseRecord.SPEND_LIMIT, Amount.LENGTH);
    work[(short) (PurseRecord.SEQUENCE + 3)] = 1;
    commit();
  }

  /** Whether there is a record: the card has been personalised. */
  boolean exists() {
    return !Unsigned.isZero(records, at(PurseRecord.SEQUENCE), (short) 4);
  }

  /** Finds the newest record after a reset. */
  void findNewest() {
    byte newest = 0;
    for (byte place = 1; place < Persistent.RECORDS; place++) {
      if (Unsigned.compare(records, (short) (place * PurseRecord.SIZE), records,
          (short) (newest * PurseRecord.SIZE), (short) 4) > 0) {
        newest = place;
      }
    }
    ram[Transients.NEWEST_RECORD] = newest;
  }

  /** Offset in `records` of a field of the newest record. */
  short at(short field) {
    return (short) ((short) (ram[Transients.NEWEST_RECORD] * PurseRecord.SIZE) + field);
  }

  /** Copies the newest record to `work` with the next sequence, to be changed and committed. */
  void begin() {
    Util.arrayCopyNonAtomic(records, at((short) 0), work, (short) 0, PurseRecord.SIZE);
    Unsigned.increment(work, PurseRecord.SEQUENCE, (short) 4);
  }

  /** Writes `work` as the newest record. */
  void commit() {
    byte place = (byte) (work[(short) (PurseRecord.SEQUENCE + 3)] & (byte) (Persistent.RECORDS - 1));
    Util.arrayCopy(work, (short) 0, records, (short) (place * PurseRecord.SIZE), PurseRecord.SIZE);
    ram[Transients.NEWEST_RECORD] = place;
  }

  /** SET SPEND LIMIT to the amount at `at`, by one record. */
  void setSpendLimit(byte[] data, short at) {
    begin();
    Util.arrayCopyNonAtomic(data, at, work, PurseRecord.SPEND_LIMIT, Amount.LENGTH);
    commit();
  }

  /** Whether a session that is open, or that a reset tore, has taken anything. */
  boolean hasTaken() {
    return !Unsigned.isZero(records, at(PurseRecord.TAKEN), Amount.LENGTH);
  }

  /** Puts loaded - spent into an 8-octet register; it is below zero where credit was used. */
  void computeBalance(byte[] register, short to) {
    Unsigned.widen(records, at(PurseRecord.LOADED), Amount.LENGTH, register, to);
    Unsigned.subtract(register, to, Ticks.LENGTH, records, at(PurseRecord.SPENT), Amount.LENGTH);
  }

  /** Puts what is available (7.2) into an 8-octet register: 0 where a lowered credit limit would make it less. */
  void computeAvailable(byte[] register, short to) {
    computeBalance(register, to);
    Unsigned.add(register, to, Ticks.LENGTH, records, at(PurseRecord.CREDIT_LIMIT), Amount.LENGTH);
    Unsigned.subtract(register, to, Ticks.LENGTH, records, at(PurseRecord.TAKEN), Amount.LENGTH);
    if (register[to] < 0) {
      Util.arrayFillNonAtomic(register, to, Ticks.LENGTH, (byte) 0);
    }
  }

  /** Requires room for one more receipt, and less unacknowledged than is allowed; throws 9404 (7.3, take, step 1). */
  void requireNoReceiptsDue() {
    copy(PurseRecord.RECEIPTS_WRITTEN, (short) 4, ram, WAITING);
    Unsigned.subtract(ram, WAITING, (short) 4, records, at(PurseRecord.RECEIPTS_ACKNOWLEDGED), (short) 4);
    if (!Unsigned.isBelow(ram, WAITING, Persistent.RECEIPTS)
        || Unsigned.compare(records, at(PurseRecord.UNACKNOWLEDGED), persistent.card,
            CardProfile.MAXIMUM_UNACKNOWLEDGED, Amount.LENGTH) >= 0) {
      ISOException.throwIt(StatusWords.RECEIPTS_DUE);
    }
  }

  /** GET PURSE: writes the purse status to the start of `answer` and returns its length. */
  short describe(byte[] answer) {
    copy(PurseRecord.SEQUENCE, (short) 4, answer, PurseStatus.SEQUENCE);
    copyAmount(PurseRecord.LOADED, answer, PurseStatus.LOADED);
    copyAmount(PurseRecord.SPENT, answer, PurseStatus.SPENT);
    copyAmount(PurseRecord.TORN, answer, PurseStatus.TORN);
    Util.arrayCopyNonAtomic(persistent.card, CardProfile.MAXIMUM_BALANCE, answer, PurseStatus.MAXIMUM_BALANCE,
        Amount.LENGTH);
    Util.arrayCopyNonAtomic(persistent.card, CardProfile.CURRENCY, answer, PurseStatus.CURRENCY, (short) 2);
    copy(PurseRecord.LOAD_NUMBER, (short) 4, answer, PurseStatus.LOAD_NUMBER);
    copy(PurseRecord.SESSION, (short) 4, answer, PurseStatus.SESSION);
    Util.arrayCopyNonAtomic(ram, Transients.SERVICE, answer, PurseStatus.SERVICE, (short) 4);
    copyAmount(PurseRecord.TAKEN, answer, PurseStatus.TAKEN);
    Util.arrayCopyNonAtomic(ram, Transients.USED, answer, PurseStatus.USED_TICKS, Ticks.LENGTH);
    copy(PurseRecord.RECEIPTS_WRITTEN, (short) 4, answer, PurseStatus.RECEIPTS_WRITTEN);
    copy(PurseRecord.RECEIPTS_ACKNOWLEDGED, (short) 4, answer, PurseStatus.RECEIPTS_ACKNOWLEDGED);
    copyAmount(PurseRecord.UNACKNOWLEDGED, answer, PurseStatus.UNACKNOWLEDGED);
    return PurseStatus.SIZE;
  }

  /** GET LOG: the offset in `records` of the record so many steps back, 0..63; throws 6A82. */
  short findRecord(byte stepsBack) {
    short lowOctet = at((short) (PurseRecord.SEQUENCE + 3));
    if (Unsigned.isZero(records, at(PurseRecord.SEQUENCE), (short) 3)
        && (short) (records[lowOctet] & 0xFF) <= stepsBack) {
      ISOException.throwIt(StatusWords.NOT_FOUND);
    }
    short place = (short) ((short) (ram[Transients.NEWEST_RECORD] - stepsBack) & (short) (Persistent.RECORDS - 1));
    return (short) (place * PurseRecord.SIZE);
  }

  /** Copies a field of the newest record. */
  void copy(short field, short length, byte[] to, short at) {
    Util.arrayCopyNonAtomic(records, at(field), to, at, length);
  }

  /** Copies a field of the newest record that is an amount. */
  void copyAmount(short field, byte[] to, short at) {
    copy(field, Amount.LENGTH, to, at);
  }
}
