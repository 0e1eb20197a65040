package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.Util;

/**
 * LOAD CREDIT (protocol 7.4): a load request (S1) tells the state of the purse; a load order (S2) loads, or sets the
 * credit limit, once; the proof of it (S3) is given as often as the order comes.
 */
final class CreditLoad {
  /** Registers, u64: what a load would make of the balance or of `loaded`, and the bound it is compared with. */
  private static final short SUM = Transients.REGISTER_1;
  private static final short BOUND = Transients.REGISTER_2;
  /** Register: by how much the order's number is above the last one, u32. */
  private static final short STEP = Transients.REGISTER_1;

  private final Persistent persistent;
  private final Purse purse;
  private final Mac mac;
  private final byte[] ram;
  private final byte[] work;

  CreditLoad(Persistent persistent, Transients transients, Purse purse, Mac mac) {
    this.persistent = persistent;
    this.purse = purse;
    this.mac = mac;
    ram = transients.ram;
    work = transients.work;
  }

  /** Writes the load request to the start of `answer` and returns its length, 80. */
  short start(byte[] answer) {
    Util.arrayFillNonAtomic(answer, (short) 0, LoadRequest.TAG, (byte) 0);
    Mac.writeHeader(answer, Kinds.LOAD_REQUEST, (short) (LoadRequest.TAG + Mac.LENGTH));
    Util.arrayCopyNonAtomic(persistent.card, CardProfile.CARD_ID, answer, LoadRequest.CARD_ID, CardId.SIZE);
    purse.copy(PurseRecord.LOAD_NUMBER, (short) 4, answer, LoadRequest.NUMBER);
    Util.arrayCopyNonAtomic(persistent.card, CardProfile.CURRENCY, answer, LoadRequest.CURRENCY, (short) 2);
    purse.copyAmount(PurseRecord.LOADED, answer, LoadRequest.LOADED);
    purse.copyAmount(PurseRecord.SPENT, answer, LoadRequest.SPENT);
    purse.copyAmount(PurseRecord.TORN, answer, LoadRequest.TORN);
    purse.copyAmount(PurseRecord.TAKEN, answer, LoadRequest.TAKEN);
    purse.copy(PurseRecord.LOAD_ID, (short) 8, answer, LoadRequest.LAST_LOAD_ID);
    purse.copyAmount(PurseRecord.LOAD_AMOUNT, answer, LoadRequest.LAST_AMOUNT);
    purse.copy(PurseRecord.RECEIPTS_WRITTEN, (short) 4, answer, LoadRequest.RECEIPTS_WRITTEN);
    mac.sign(persistent.cardKeys[Persistent.LOAD_OUT], answer, (short) 0, LoadRequest.TAG);
    return (short) (LoadRequest.TAG + Mac.LENGTH);
  }

  /** Takes the load order or credit limit of 64 octets at `at`, and makes its proof in its place. */
  void load(byte[] message, short at) {
    boolean isLimit = message[at] == Kinds.CREDIT_LIMIT;
    if (!Mac.hasHeader(message, at, isLimit ? Kinds.CREDIT_LIMIT : Kinds.LOAD_ORDER, LoadOrder.SIZE)
        || !mac.isTagRight(persistent.cardKeys[Persistent.LOAD_IN], message, at, LoadOrder.TAG, Mac.LENGTH)) {
      ISOException.throwIt(StatusWords.CRYPTO);
    }
    if (!hasValidFields(message, at) || (isLimit && exceedsMaxLimit(message, (short) (at + LoadOrder.AMOUNT)))) {
      ISOException.throwIt(StatusWords.BAD_FIELD);
    }
    if (!isLastLoad(message, at, isLimit)) {
      requireNextNumber(message, at);
      if (!isLimit && exceedsMaximumBalance(message, (short) (at + LoadOrder.AMOUNT))) {
        ISOException.throwIt(StatusWords.ABOVE_MAXIMUM_BALANCE);
      }
      write(message, at, isLimit);
    }
    message[at] = isLimit ? Kinds.CREDIT_LIMIT_PROOF : Kinds.LOAD_PROOF;
    mac.sign(persistent.cardKeys[Persistent.LOAD_OUT], message, at, LoadOrder.TAG);
  }

  /** Whether a message is for this card and its currency, with nothing reserved in use. */
  private boolean hasValidFields(byte[] message, short at) {
    return Util.arrayCompare(message, (short) (at + LoadOrder.CARD_ID), persistent.card, CardProfile.CARD_ID,
        CardId.SIZE) == 0
        && Util.arrayCompare(message, (short) (at + LoadOrder.CURRENCY), persistent.card, CardProfile.CURRENCY,
            (short) 2) == 0
        && Unsigned.isZero(message, (short) (at + LoadOrder.RESERVED_1), (short) 2)
        && Unsigned.isZero(message, (short) (at + LoadOrder.RESERVED_2),
            (short) (LoadOrder.TAG - LoadOrder.RESERVED_2));
  }

  /** Whether a credit limit with the maximum balance is above 2^39 - 1. */
  private boolean exceedsMaxLimit(byte[] message, short at) {
    Unsigned.widen(message, at, Amount.LENGTH, ram, SUM);
    Unsigned.add(ram, SUM, Ticks.LENGTH, persistent.card, CardProfile.MAXIMUM_BALANCE, Amount.LENGTH);
    Unsigned.widen(Amount.MAX, (short) 0, Amount.LENGTH, ram, BOUND);
    return Unsigned.compare(ram, SUM, ram, BOUND, Ticks.LENGTH) > 0;
  }

  /** Whether a message repeats the last load. */
  private boolean isLastLoad(byte[] message, short at, boolean isLimit) {
    return purse.records[purse.at(PurseRecord.LIMIT_LOADED)] == (byte) (isLimit ? 1 : 0)
        && hasField(message, (short) (at + LoadOrder.NUMBER), PurseRecord.LOAD_NUMBER, (short) 4)
        && hasField(message, (short) (at + LoadOrder.LOAD_ID), PurseRecord.LOAD_ID, (short) 8)
        && hasField(message, (short) (at + LoadOrder.AMOUNT), PurseRecord.LOAD_AMOUNT, Amount.LENGTH);
  }

  private boolean hasField(byte[] message, short at, short field, short length) {
    return Util.arrayCompare(message, at, purse.records, purse.at(field), length) == 0;
  }

  /** Requires the number after that of the last load; throws 940B. */
  private void requireNextNumber(byte[] message, short at) {
    Util.arrayCopyNonAtomic(message, (short) (at + LoadOrder.NUMBER), ram, STEP, (short) 4);
    Unsigned.subtract(ram, STEP, (short) 4, purse.records, purse.at(PurseRecord.LOAD_NUMBER), (short) 4);
    if (!Unsigned.isBelow(ram, STEP, (short) 2) || ram[(short) (STEP + 3)] == 0) {
      ISOException.throwIt(StatusWords.OLD_NUMBER);
    }
  }

  /** Whether balance + amount is above the maximum balance, or loaded + amount above 2^48 - 2^39. */
  private boolean exceedsMaximumBalance(byte[] message, short amount) {
    purse.computeBalance(ram, SUM);
    Unsigned.add(ram, SUM, Ticks.LENGTH, message, amount, Amount.LENGTH);
    Unsigned.widen(persistent.card, CardProfile.MAXIMUM_BALANCE, Amount.LENGTH, ram, BOUND);
    // The sum is below zero where more credit was used than this load brings.
    if (ram[SUM] >= 0 && Unsigned.compare(ram, SUM, ram, BOUND, Ticks.LENGTH) > 0) {
      return true;
    }
    // Above 2^48 - 2^39 exactly when 2^39 - 1 more would not fit into a u48.
    Unsigned.widen(purse.records, purse.at(PurseRecord.LOADED), Amount.LENGTH, ram, SUM);
    Unsigned.add(ram, SUM, Ticks.LENGTH, message, amount, Amount.LENGTH);
    Unsigned.add(ram, SUM, Ticks.LENGTH, Amount.MAX, (short) 0, Amount.LENGTH);
    return !Unsigned.isZero(ram, SUM, Amount.IN_REGISTER);
  }

  /** Writes the record of a load or of a new credit limit. */
  private void write(byte[] message, short at, boolean isLimit) {
    short amount = (short) (at + LoadOrder.AMOUNT);
    purse.begin();
    if (isLimit) {
      Util.arrayCopyNonAtomic(message, amount, work, PurseRecord.CREDIT_LIMIT, Amount.LENGTH);
    } else {
      Unsigned.add(work, PurseRecord.LOADED, Amount.LENGTH, message, amount, Amount.LENGTH);
    }
    work[PurseRecord.LIMIT_LOADED] = (byte) (isLimit ? 1 : 0);
    Util.arrayCopyNonAtomic(message, (short) (at + LoadOrder.NUMBER), work, PurseRecord.LOAD_NUMBER, (short) 4);
    Util.arrayCopyNonAtomic(message, (short) (at + LoadOrder.LOAD_ID), work, PurseRecord.LOAD_ID, (short) 8);
    Util.arrayCopyNonAtomic(message, amount, work, PurseRecord.LOAD_AMOUNT, Amount.LENGTH);
    purse.commit();
  }
}
