package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.Util;

/** The ring of the last 32 receipts, and their acknowledgement (protocol 7.5, 7.6). */
final class ReceiptRing {
  /** The reasons of a receipt. */
  static final byte CLOSED = 1;
  static final byte TORN = 2;

  /** Registers: a number u32, and how many receipts came after it, u32. */
  private static final short OLDEST = Transients.REGISTER_1;
  private static final short AGE = Transients.REGISTER_2;

  private final Persistent persistent;
  private final byte[] ring;
  private final Purse purse;
  private final Mac mac;
  private final byte[] ram;
  private final byte[] work;

  ReceiptRing(Persistent persistent, Transients transients, Purse purse, Mac mac) {
    this.persistent = persistent;
    this.purse = purse;
    this.mac = mac;
    ring = persistent.receipts;
    ram = transients.ram;
    work = transients.work;
  }

  /**
   * Makes the next receipt from the newest record, in `work`; {@link #write} follows.
   *
   * @param amounts has the amount and the torn part
   * @param totals laid out as in SessionTotals
   */
  void make(byte reason, byte[] amounts, short amountAt, short tornAt, byte[] totals, short totalsAt) {
    Util.arrayFillNonAtomic(work, (short) 0, Receipt.SIZE, (byte) 0);
    Mac.writeHeader(work, Kinds.RECEIPT, Receipt.SIZE);
    Util.arrayCopyNonAtomic(persistent.card, CardProfile.CARD_ID, work, Receipt.CARD_ID, CardId.SIZE);
    purse.copy(PurseRecord.RECEIPTS_WRITTEN, (short) 4, work, Receipt.NUMBER);
    Unsigned.increment(work, Receipt.NUMBER, (short) 4);
    purse.copy(PurseRecord.SERVICE, (short) 4, work, Receipt.SERVICE);
    purse.copy(PurseRecord.SESSION, (short) 4, work, Receipt.SESSION);
    copyTotal(totals, (short) (totalsAt + SessionTotals.FIRST_SEGMENT), Receipt.FIRST_SEGMENT, (short) 4);
    copyTotal(totals, (short) (totalsAt + SessionTotals.LAST_SEGMENT), Receipt.LAST_SEGMENT, (short) 4);
    copyTotal(totals, (short) (totalsAt + SessionTotals.OCTETS), Receipt.OCTETS, (short) 6);
    copyTotal(totals, (short) (totalsAt + SessionTotals.DURATION), Receipt.DURATION, (short) 6);
    copyTotal(totals, (short) (totalsAt + SessionTotals.GROUPS), Receipt.GROUPS, (short) 4);
    copyTotal(totals, (short) (totalsAt + SessionTotals.FROM), Receipt.FROM, (short) 4);
    copyTotal(totals, (short) (totalsAt + SessionTotals.TO), Receipt.TO, (short) 4);
    Util.arrayCopyNonAtomic(amounts, amountAt, work, Receipt.AMOUNT, Amount.LENGTH);
    Util.arrayCopyNonAtomic(amounts, tornAt, work, Receipt.TORN, Amount.LENGTH);
    purse.copyAmount(PurseRecord.LOADED, work, Receipt.LOADED);
    purse.copyAmount(PurseRecord.SPENT, work, Receipt.SPENT);
    Unsigned.add(work, Receipt.SPENT, Amount.LENGTH, amounts, amountAt, Amount.LENGTH);
    Unsigned.add(work, Receipt.SPENT, Amount.LENGTH, amounts, tornAt, Amount.LENGTH);
    Util.arrayCopyNonAtomic(persistent.card, CardProfile.CURRENCY, work, Receipt.CURRENCY, (short) 2);
    work[Receipt.REASON] = reason;
  }

  /**
   * Signs the receipt that {@link #make} made, and writes it to the ring. It does not count before the record that
   * follows. A power cut between them only repeats both. deselect() calls it, where little Java stack is left: so it is
   * no part of make(), and calls the engine itself.
   */
  void write() {
    mac.engine.init(persistent.cardKeys[Persistent.RECEIPT]);
    mac.engine.sign(work, (short) 0, Receipt.TAG, work, Receipt.TAG);
    Util.arrayCopy(work, (short) 0, ring, offsetOf(work, Receipt.NUMBER), Receipt.SIZE);
  }

  private void copyTotal(byte[] totals, short at, short field, short length) {
    Util.arrayCopyNonAtomic(totals, at, work, field, length);
  }

  /** Offset in the ring of the receipt whose number u32 stands in an array. */
  private static short offsetOf(byte[] a, short numberAt) {
    short place = (short) (a[(short) (numberAt + 3)] & (short) (Persistent.RECEIPTS - 1));
    return (short) (place * Receipt.SIZE);
  }

  /** CLOSE: copies the newest receipt to the start of `answer`; returns its length, 0 if there never was one. */
  short copyNewest(byte[] answer) {
    short written = purse.at(PurseRecord.RECEIPTS_WRITTEN);
    if (Unsigned.isZero(purse.records, written, (short) 4)) {
      return 0;
    }
    return Util.arrayCopyNonAtomic(ring, offsetOf(purse.records, written), answer, (short) 0, Receipt.SIZE);
  }

  /** GET RECEIPT without a number: the oldest that is not acknowledged; throws 6A82. */
  short copyOldest(byte[] answer) {
    purse.copy(PurseRecord.RECEIPTS_ACKNOWLEDGED, (short) 4, ram, OLDEST);
    Unsigned.increment(ram, OLDEST, (short) 4);
    return copy(ram, OLDEST, answer);
  }

  /** GET RECEIPT: one of the last 32 by its number u32; throws 6A82. */
  short copy(byte[] number, short at, byte[] answer) {
    short written = purse.at(PurseRecord.RECEIPTS_WRITTEN);
    Util.arrayCopyNonAtomic(purse.records, written, ram, AGE, (short) 4);
    Unsigned.subtract(ram, AGE, (short) 4, number, at, (short) 4);
    if (Unsigned.isZero(number, at, (short) 4) || Unsigned.compare(number, at, purse.records, written, (short) 4) > 0
        || !Unsigned.isBelow(ram, AGE, Persistent.RECEIPTS)) {
      ISOException.throwIt(StatusWords.NOT_FOUND);
    }
    return Util.arrayCopyNonAtomic(ring, offsetOf(number, at), answer, (short) 0, Receipt.SIZE);
  }

  /** ACKNOWLEDGE RECEIPTS: takes the message of 32 octets at `at`; throws 6988, 6A80. */
  void acknowledge(byte[] message, short at) {
    if (!Mac.hasHeader(message, at, Kinds.ACKNOWLEDGEMENT, Acknowledgement.SIZE)
        || !mac.isTagRight(persistent.cardKeys[Persistent.ACKNOWLEDGEMENT], message, at, Acknowledgement.TAG,
            Mac.LENGTH)) {
      ISOException.throwIt(StatusWords.CRYPTO);
    }
    short upTo = (short) (at + Acknowledgement.UP_TO);
    if (Util.arrayCompare(message, (short) (at + Acknowledgement.CARD_ID), persistent.card, CardProfile.CARD_ID,
        CardId.SIZE) != 0
        || Unsigned.compare(message, upTo, purse.records, purse.at(PurseRecord.RECEIPTS_WRITTEN), (short) 4) > 0) {
      ISOException.throwIt(StatusWords.BAD_FIELD);
    }
    if (Unsigned.compare(message, upTo, purse.records, purse.at(PurseRecord.RECEIPTS_ACKNOWLEDGED), (short) 4) <= 0) {
      return;
    }
    purse.begin();
    do {
      Unsigned.increment(work, PurseRecord.RECEIPTS_ACKNOWLEDGED, (short) 4);
      short receipt = offsetOf(work, PurseRecord.RECEIPTS_ACKNOWLEDGED);
      Unsigned.subtract(work, PurseRecord.UNACKNOWLEDGED, Amount.LENGTH, ring,
          (short) (receipt + Receipt.AMOUNT), Amount.LENGTH);
      Unsigned.subtract(work, PurseRecord.UNACKNOWLEDGED, Amount.LENGTH, ring,
          (short) (receipt + Receipt.TORN), Amount.LENGTH);
    } while (Unsigned.compare(work, PurseRecord.RECEIPTS_ACKNOWLEDGED, message, upTo, (short) 4) < 0);
    purse.commit();
  }
}
