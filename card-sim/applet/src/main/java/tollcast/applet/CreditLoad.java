package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.Util;

/**
 * LOAD CREDIT (protocol 7.4): S1 tells where the purse stands, S2 loads or sets the credit limit once, S3 confirms as
 * often as asked.
 */
final class CreditLoad {
  /** Octets of S2 and S3 with their tag. */
  static final short LENGTH = 64;

  private static final short S1_LENGTH = 80;
  private static final short CARD_ID = 4;
  private static final short NUMBER = 12;
  private static final short CURRENCY = 16;
  private static final short RESERVED = 18;
  private static final short AMOUNT = 20;
  private static final short LOAD_ID = 26;
  private static final short LAST_RESERVED = 34;
  private static final short TAG = 48;

  private static final short S1_LOADED = 20;
  private static final short S1_TAKEN = 38;
  private static final short S1_LOAD_ID = 44;
  private static final short S1_WRITTEN = 60;
  private static final short S1_TAG = 64;

  /** 2^39 - 1. */
  private static final byte[] MOST = {0, 0x7F, -1, -1, -1, -1};

  private static final short U48 = 6;
  private static final short LOW = 2;

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

  /** Writes S1 to the start of `answer` and returns its length, 80. */
  short start(byte[] answer) {
    Util.arrayFillNonAtomic(answer, (short) 0, S1_TAG, (byte) 0);
    answer[0] = Kinds.LOAD_REQUEST;
    answer[1] = Kinds.VERSION;
    answer[3] = (byte) S1_LENGTH;
    Util.arrayCopyNonAtomic(persistent.card, Persistent.CARD_ID, answer, CARD_ID, (short) 8);
    purse.copy(PurseRecord.LOAD_NUMBER, (short) 4, answer, NUMBER);
    Util.arrayCopyNonAtomic(persistent.card, Persistent.CURRENCY, answer, CURRENCY, (short) 2);
    purse.copy(PurseRecord.LOADED, (short) 18, answer, S1_LOADED);
    purse.copy(PurseRecord.TAKEN, U48, answer, S1_TAKEN);
    purse.copy(PurseRecord.LOAD_ID, (short) 14, answer, S1_LOAD_ID);
    purse.copy(PurseRecord.WRITTEN, (short) 4, answer, S1_WRITTEN);
    mac.sign(persistent.cardKeys[Persistent.LOAD_OUT], answer, (short) 0, S1_TAG);
    return S1_LENGTH;
  }

  /** Takes S2 of 64 octets at `at` and makes S3 of it, in its place. */
  void load(byte[] m, short at) {
    boolean limit = m[at] == Kinds.CREDIT_LIMIT;
    if (!Mac.framed(m, at, limit ? Kinds.CREDIT_LIMIT : Kinds.LOAD_ORDER, LENGTH)
        || !mac.fits(persistent.cardKeys[Persistent.LOAD_IN], m, at, TAG, Mac.LENGTH)) {
      ISOException.throwIt(StatusWords.CRYPTO);
    }
    if (Util.arrayCompare(m, (short) (at + CARD_ID), persistent.card, Persistent.CARD_ID, (short) 8) != 0
        || Util.arrayCompare(m, (short) (at + CURRENCY), persistent.card, Persistent.CURRENCY, (short) 2) != 0
        || !Unsigned.isZero(m, (short) (at + RESERVED), (short) 2)
        || !Unsigned.isZero(m, (short) (at + LAST_RESERVED), (short) (TAG - LAST_RESERVED))
        || (limit && !limitFits(m, (short) (at + AMOUNT)))) {
      ISOException.throwIt(StatusWords.BAD_FIELD);
    }
    if (!done(m, at, limit)) {
      apply(m, at, limit);
    }
    m[at] = limit ? Kinds.CREDIT_LIMIT_PROOF : Kinds.LOAD_PROOF;
    mac.sign(persistent.cardKeys[Persistent.LOAD_OUT], m, at, TAG);
  }

  /** Whether a credit limit u48 and the maximum balance are at most 2^39 - 1 together. */
  private boolean limitFits(byte[] m, short at) {
    Unsigned.widen(m, at, U48, ram, Transients.A);
    Unsigned.add(ram, Transients.A, Ticks.LENGTH, persistent.card, Persistent.MAXIMUM_BALANCE, U48);
    Unsigned.widen(MOST, (short) 0, U48, ram, Transients.B);
    return Unsigned.compare(ram, Transients.A, ram, Transients.B, Ticks.LENGTH) <= 0;
  }

  /** Whether this is the last load once more. */
  private boolean done(byte[] m, short at, boolean limit) {
    return purse.records[purse.at(PurseRecord.LIMIT_LOADED)] == (byte) (limit ? 1 : 0)
        && Util.arrayCompare(m, (short) (at + NUMBER), purse.records, purse.at(PurseRecord.LOAD_NUMBER), (short) 4) == 0
        && Util.arrayCompare(m, (short) (at + LOAD_ID), purse.records, purse.at(PurseRecord.LOAD_ID), (short) 8) == 0
        && Util.arrayCompare(m, (short) (at + AMOUNT), purse.records, purse.at(PurseRecord.LOAD_AMOUNT), U48) == 0;
  }

  private void apply(byte[] m, short at, boolean limit) {
    Util.arrayCopyNonAtomic(m, (short) (at + NUMBER), ram, Transients.A, (short) 4);
    Unsigned.subtract(ram, Transients.A, (short) 4, purse.records, purse.at(PurseRecord.LOAD_NUMBER), (short) 4);
    if (!Unsigned.isZero(ram, Transients.A, (short) 3) || ram[(short) (Transients.A + 3)] != 1) {
      ISOException.throwIt(StatusWords.OLD_NUMBER);
    }
    short amount = (short) (at + AMOUNT);
    if (!limit && tooMuch(m, amount)) {
      ISOException.throwIt(StatusWords.ABOVE_MAXIMUM_BALANCE);
    }
    purse.begin();
    if (limit) {
      Util.arrayCopyNonAtomic(m, amount, work, PurseRecord.CREDIT_LIMIT, U48);
    } else {
      Unsigned.add(work, PurseRecord.LOADED, U48, m, amount, U48);
    }
    work[PurseRecord.LIMIT_LOADED] = (byte) (limit ? 1 : 0);
    Util.arrayCopyNonAtomic(m, (short) (at + NUMBER), work, PurseRecord.LOAD_NUMBER, (short) 4);
    Util.arrayCopyNonAtomic(m, (short) (at + LOAD_ID), work, PurseRecord.LOAD_ID, (short) 8);
    Util.arrayCopyNonAtomic(m, amount, work, PurseRecord.LOAD_AMOUNT, U48);
    purse.commit();
  }

  /** Whether balance + amount is above the maximum, or loaded + amount so high that a credit limit may not fit in u48. */
  private boolean tooMuch(byte[] m, short amount) {
    purse.balance(ram, Transients.A);
    Unsigned.add(ram, Transients.A, Ticks.LENGTH, m, amount, U48);
    Unsigned.widen(persistent.card, Persistent.MAXIMUM_BALANCE, U48, ram, Transients.B);
    // Below zero where more credit was used than this load brings.
    if (ram[Transients.A] >= 0 && Unsigned.compare(ram, Transients.A, ram, Transients.B, Ticks.LENGTH) > 0) {
      return true;
    }
    Unsigned.widen(purse.records, purse.at(PurseRecord.LOADED), U48, ram, Transients.A);
    Unsigned.add(ram, Transients.A, Ticks.LENGTH, m, amount, U48);
    Unsigned.add(ram, Transients.A, Ticks.LENGTH, MOST, (short) 0, U48);
    return !Unsigned.isZero(ram, Transients.A, LOW);
  }
}
