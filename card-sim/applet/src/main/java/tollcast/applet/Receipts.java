package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.Util;

/** The ring of the last 32 receipts, and their acknowledgement (protocol 7.5, 7.6). */
final class Receipts {
  static final short LENGTH = 112;
  static final byte CLOSED = 1;
  static final byte TORN = 2;

  private static final short CARD_ID = 4;
  private static final short NUMBER = 12;
  private static final short SERVICE = 16;
  private static final short SEGMENTS = 24;
  private static final short UNITS = 32;
  private static final short TIMES = 48;
  private static final short AMOUNT = 56;
  private static final short TORN_PART = 62;
  private static final short LOADED = 68;
  private static final short SPENT = 74;
  private static final short CURRENCY = 80;
  private static final short REASON = 82;
  private static final short TAG = 96;

  private static final short ACK_LENGTH = 32;
  private static final short ACK_UP_TO = 12;
  private static final short ACK_TAG = 16;

  private static final short U48 = 6;

  private final Persistent persistent;
  private final byte[] ring;
  private final Purse purse;
  private final Mac mac;
  private final byte[] ram;
  private final byte[] work;

  Receipts(Persistent persistent, Transients transients, Purse purse, Mac mac) {
    this.persistent = persistent;
    this.purse = purse;
    this.mac = mac;
    ring = persistent.receipts;
    ram = transients.ram;
    work = transients.work;
  }

  /**
   * Makes the next receipt from the newest record and puts it into the ring. It does not count before the record that
   * follows; until then a power cut only has it written again.
   *
   * @param a holds amount and torn part, u48 each
   * @param totals laid out as in the record
   */
  void write(byte reason, byte[] a, short amountAt, short tornAt, byte[] totals, short totalsAt) {
    Util.arrayFillNonAtomic(work, (short) 0, LENGTH, (byte) 0);
    work[0] = Kinds.RECEIPT;
    work[1] = Kinds.VERSION;
    work[3] = (byte) LENGTH;
    Util.arrayCopyNonAtomic(persistent.card, Persistent.CARD_ID, work, CARD_ID, (short) 8);
    purse.copy(PurseRecord.WRITTEN, (short) 4, work, NUMBER);
    Unsigned.increment(work, NUMBER, (short) 4);
    purse.copy(PurseRecord.SERVICE, (short) 4, work, SERVICE);
    purse.copy(PurseRecord.SESSION, (short) 4, work, (short) (SERVICE + 4));
    Util.arrayCopyNonAtomic(totals, (short) (totalsAt + PurseRecord.FIRST_SEGMENT), work, SEGMENTS, (short) 8);
    Util.arrayCopyNonAtomic(totals, totalsAt, work, UNITS, (short) 16);
    Util.arrayCopyNonAtomic(totals, (short) (totalsAt + PurseRecord.TOTAL_FROM), work, TIMES, (short) 8);
    Util.arrayCopyNonAtomic(a, amountAt, work, AMOUNT, U48);
    Util.arrayCopyNonAtomic(a, tornAt, work, TORN_PART, U48);
    purse.copy(PurseRecord.LOADED, U48, work, LOADED);
    purse.copy(PurseRecord.SPENT, U48, work, SPENT);
    Unsigned.add(work, SPENT, U48, a, amountAt, U48);
    Unsigned.add(work, SPENT, U48, a, tornAt, U48);
    Util.arrayCopyNonAtomic(persistent.card, Persistent.CURRENCY, work, CURRENCY, (short) 2);
    work[REASON] = reason;
    mac.sign(persistent.cardKeys[Persistent.RECEIPT], work, (short) 0, TAG);
    Util.arrayCopy(work, (short) 0, ring, entry(work, NUMBER), LENGTH);
  }

  /** Offset in the ring of the receipt whose number u32 stands in an array. */
  private static short entry(byte[] a, short numberAt) {
    short place = (short) (a[(short) (numberAt + 3)] & (short) (Persistent.RECEIPTS - 1));
    return (short) (place * LENGTH);
  }

  /** CLOSE: copies the newest receipt to the start of `answer` and returns its length, 0 if there never was one. */
  short newest(byte[] answer) {
    short written = purse.at(PurseRecord.WRITTEN);
    if (Unsigned.isZero(purse.records, written, (short) 4)) {
      return 0;
    }
    return Util.arrayCopyNonAtomic(ring, entry(purse.records, written), answer, (short) 0, LENGTH);
  }

  /** GET RECEIPT without a number: the oldest that is not acknowledged. Throws 6A82. */
  short oldest(byte[] answer) {
    purse.copy(PurseRecord.ACKNOWLEDGED, (short) 4, ram, Transients.A);
    Unsigned.increment(ram, Transients.A, (short) 4);
    return get(ram, Transients.A, answer);
  }

  /** GET RECEIPT: one of the last 32 by its number u32. Throws 6A82. */
  short get(byte[] number, short at, byte[] answer) {
    short written = purse.at(PurseRecord.WRITTEN);
    Util.arrayCopyNonAtomic(purse.records, written, ram, Transients.B, (short) 4);
    Unsigned.subtract(ram, Transients.B, (short) 4, number, at, (short) 4);
    short age = ram[(short) (Transients.B + 3)];
    if (Unsigned.isZero(number, at, (short) 4) || Unsigned.compare(number, at, purse.records, written, (short) 4) > 0
        || !Unsigned.isZero(ram, Transients.B, (short) 3) || age < 0 || age >= Persistent.RECEIPTS) {
      ISOException.throwIt(StatusWords.NOT_FOUND);
    }
    return Util.arrayCopyNonAtomic(ring, entry(number, at), answer, (short) 0, LENGTH);
  }

  /** ACKNOWLEDGE RECEIPTS: the message of 32 octets at `at`. */
  void acknowledge(byte[] m, short at) {
    if (!Mac.framed(m, at, Kinds.ACKNOWLEDGEMENT, ACK_LENGTH)
        || !mac.fits(persistent.cardKeys[Persistent.ACKNOWLEDGEMENT], m, at, ACK_TAG, Mac.LENGTH)) {
      ISOException.throwIt(StatusWords.CRYPTO);
    }
    short upTo = (short) (at + ACK_UP_TO);
    if (Util.arrayCompare(m, (short) (at + CARD_ID), persistent.card, Persistent.CARD_ID, (short) 8) != 0
        || Unsigned.compare(m, upTo, purse.records, purse.at(PurseRecord.WRITTEN), (short) 4) > 0) {
      ISOException.throwIt(StatusWords.BAD_FIELD);
    }
    if (Unsigned.compare(m, upTo, purse.records, purse.at(PurseRecord.ACKNOWLEDGED), (short) 4) <= 0) {
      return;
    }
    purse.begin();
    do {
      Unsigned.increment(work, PurseRecord.ACKNOWLEDGED, (short) 4);
      short receipt = entry(work, PurseRecord.ACKNOWLEDGED);
      Unsigned.subtract(work, PurseRecord.UNACKNOWLEDGED, U48, ring, (short) (receipt + AMOUNT), U48);
      Unsigned.subtract(work, PurseRecord.UNACKNOWLEDGED, U48, ring, (short) (receipt + TORN_PART), U48);
    } while (Unsigned.compare(work, PurseRecord.ACKNOWLEDGED, m, upTo, (short) 4) < 0);
    purse.commit();
  }
}
