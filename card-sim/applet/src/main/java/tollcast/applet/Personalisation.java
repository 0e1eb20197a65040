package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;

/** STORE DATA: what the issuer puts on a blank card once, and what it may change later (protocol 3). */
final class Personalisation {
  /** A block: DGI u16, length u8, value. */
  private static final short DGI_AT = 0;
  private static final short LENGTH_AT = 2;
  static final short HEADER_LENGTH = 3;

  private static final short DGI_CARD_DATA = 0x0001;
  private static final short DGI_CARD_LIMITS = 0x0002;
  private static final short DGI_VERIFICATION_KEY = 0x0003;
  private static final short DGI_HEAD_END_POINT = 0x0004;
  private static final short DGI_CARD_KEYS = (short) 0x8001;
  private static final short DGI_PIN = (short) 0x8002;
  private static final short KEY_LENGTH = 16;
  /** Length of a DGI that is not in the table. */
  private static final short UNKNOWN = -1;

  private static final byte HAS_BOTH = (byte) (Persistent.HAS_CARD_DATA | Persistent.HAS_CARD_KEYS);

  private final Persistent persistent;
  private final Purse purse;
  private final WorkingKeys workingKeys;
  private final HolderPin pin;
  private final byte[] work;

  Personalisation(Persistent persistent, Transients transients, Purse purse, WorkingKeys workingKeys,
      HolderPin pin) {
    this.persistent = persistent;
    this.purse = purse;
    this.workingKeys = workingKeys;
    this.pin = pin;
    work = transients.work;
  }

  /**
   * Stores a block of at least 3 octets; the last one makes a blank card personalised. Throws 6982, 6985, 6A80.
   *
   * @param enciphered whether it came enciphered
   */
  void store(byte[] data, short at, short length, boolean last, boolean enciphered) {
    short dgi = Util.getShort(data, (short) (at + DGI_AT));
    boolean blank = persistent.life == Life.BLANK;
    // A DGI from 8000 on holds secrets; as a short it is negative.
    if (dgi < 0 && !enciphered) {
      ISOException.throwIt(StatusWords.SECURITY);
    }
    if (!blank && (dgi == DGI_CARD_DATA || dgi == DGI_CARD_KEYS)) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
    short value = (short) (at + HEADER_LENGTH);
    short valueLength = (short) (data[(short) (at + LENGTH_AT)] & 0xFF);
    if (valueLength != (short) (length - HEADER_LENGTH) || valueLength != lengthOf(dgi)
        || !isValueValid(dgi, data, value)) {
      ISOException.throwIt(StatusWords.BAD_FIELD);
    }
    if (blank) {
      storeOnBlank(dgi, data, value, last);
    } else {
      change(dgi, data, value);
    }
  }

  private void storeOnBlank(short dgi, byte[] data, short value, boolean last) {
    byte bit = dgi == DGI_CARD_DATA ? Persistent.HAS_CARD_DATA : dgi == DGI_CARD_KEYS ? Persistent.HAS_CARD_KEYS : 0;
    if (last && (byte) ((byte) (persistent.present | bit) & HAS_BOTH) != HAS_BOTH) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
    if (bit != 0) {
      // It is absent while it changes: a power cut leaves a card that asks for it again.
      persistent.present = (byte) (persistent.present & (byte) ~bit);
    }
    put(dgi, data, value);
    if (bit != 0) {
      persistent.present = (byte) (persistent.present | bit);
    }
    if (last) {
      complete();
    }
  }

  /** Changes a DGI after personalisation; a new spend limit goes into the record by the same transaction. */
  private void change(short dgi, byte[] data, short value) {
    if (dgi != DGI_CARD_LIMITS) {
      put(dgi, data, value);
      return;
    }
    JCSystem.beginTransaction();
    put(dgi, data, value);
    purse.setSpendLimit(data, (short) (value + CardLimits.SPEND_LIMIT));
    JCSystem.commitTransaction();
  }

  private void put(short dgi, byte[] data, short value) {
    switch (dgi) {
      case DGI_CARD_DATA:
        Util.arrayCopy(data, value, persistent.card, (short) 0, CardData.LENGTH);
        break;
      case DGI_CARD_LIMITS:
        Util.arrayCopy(data, value, persistent.limits, (short) 0, CardLimits.LENGTH);
        break;
      case DGI_VERIFICATION_KEY:
        byte place = data[value];
        Util.arrayCopy(data, (short) (value + 1), persistent.verificationKeys,
            (short) (place * Persistent.VERIFICATION_KEY_LENGTH), Persistent.VERIFICATION_KEY_LENGTH);
        break;
      case DGI_HEAD_END_POINT:
        Util.arrayCopy(data, value, persistent.keyPairs.headEndPoint, (short) 0, KeyPairs.POINT_LENGTH);
        break;
      case DGI_PIN:
        pin.set(data, value);
        break;
      default:
        for (byte i = 0; i < Persistent.CARD_KEYS; i++) {
          persistent.cardKeys[i].setKey(data, (short) (value + (short) (KEY_LENGTH * i)));
        }
    }
  }

  /** Octets of a DGI's value, or UNKNOWN. */
  private short lengthOf(short dgi) {
    switch (dgi) {
      case DGI_CARD_DATA:
        return CardData.LENGTH;
      case DGI_CARD_LIMITS:
        return CardLimits.LENGTH;
      case DGI_VERIFICATION_KEY:
        return (short) (1 + Persistent.VERIFICATION_KEY_LENGTH);
      case DGI_HEAD_END_POINT:
        return persistent.keyPairs == null ? UNKNOWN : KeyPairs.POINT_LENGTH;
      case DGI_CARD_KEYS:
        return (short) (Persistent.CARD_KEYS * KEY_LENGTH);
      case DGI_PIN:
        return HolderPin.LENGTH;
      default:
        return UNKNOWN;
    }
  }

  /** Whether a value of the right length is within protocol 3. */
  private static boolean isValueValid(short dgi, byte[] data, short at) {
    switch (dgi) {
      case DGI_CARD_DATA:
        return isCardDataValid(data, at);
      case DGI_CARD_LIMITS:
        return (byte) (data[(short) (at + CardLimits.PIN_POLICY)] & HolderPin.RESERVED_POLICY) == 0
            && Unsigned.isZero(data, (short) (at + CardLimits.RESERVED),
                (short) (CardLimits.LENGTH - CardLimits.RESERVED));
      case DGI_VERIFICATION_KEY:
        return data[at] >= 0 && data[at] < Persistent.VERIFICATION_KEYS;
      case DGI_HEAD_END_POINT:
        return data[at] == KeyPairs.UNCOMPRESSED;
      default:
        return true;
    }
  }

  private static boolean isCardDataValid(byte[] data, short at) {
    byte cardClass = data[(short) (at + CardData.CLASS)];
    return (cardClass == CardData.CLASS_CARD || cardClass == CardData.CLASS_SOFT)
        && Amount.isWithinMax(data, (short) (at + CardData.MAXIMUM_BALANCE))
        && Unsigned.isZero(data, (short) (at + CardData.RESERVED), (short) (CardData.LENGTH - CardData.RESERVED));
  }

  /**
   * Derives the downlink's working keys, which may be done twice, then writes the first record and the life state in
   * one transaction.
   */
  private void complete() {
    workingKeys.setName(Kinds.UNIQUE, null, (short) 0, persistent.card, CardData.SERIAL);
    persistent.cardKeys[Persistent.DOWNLINK].getKey(work, WorkingKeys.KEY);
    workingKeys.derive(persistent.downlinkEncryption, persistent.downlinkMac);
    JCSystem.beginTransaction();
    purse.create();
    persistent.life = Life.PERSONALISED;
    JCSystem.commitTransaction();
  }
}
