package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;

/** STORE DATA: what the issuer puts on a blank card once, and what it may change later (protocol 3). */
final class Personalisation {
  private static final short KEY_LENGTH = 16;
  /** Length of a DGI that is not in the table. */
  private static final short UNKNOWN = -1;

  private static final byte HAS_BOTH = (byte) (Persistent.HAS_PROFILE | Persistent.HAS_CARD_KEYS);

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
    short dgi = Util.getShort(data, (short) (at + StoreDataHeader.DGI));
    boolean blank = persistent.life == Life.BLANK;
    // A DGI from 8000 on holds secrets; as a short it is negative.
    if (dgi < 0 && !enciphered) {
      ISOException.throwIt(StatusWords.SECURITY);
    }
    if (!blank && (dgi == DataGroups.PROFILE || dgi == DataGroups.KEYS)) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
    short value = (short) (at + StoreDataHeader.SIZE);
    short valueLength = (short) (data[(short) (at + StoreDataHeader.LENGTH)] & 0xFF);
    if (valueLength != (short) (length - StoreDataHeader.SIZE) || valueLength != lengthOf(dgi)
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
    byte bit = dgi == DataGroups.PROFILE ? Persistent.HAS_PROFILE
        : dgi == DataGroups.KEYS ? Persistent.HAS_CARD_KEYS : 0;
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
    if (dgi != DataGroups.LIMITS) {
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
      case DataGroups.PROFILE:
        Util.arrayCopy(data, value, persistent.card, (short) 0, CardProfile.SIZE);
        break;
      case DataGroups.LIMITS:
        Util.arrayCopy(data, value, persistent.limits, (short) 0, CardLimits.SIZE);
        break;
      case DataGroups.VERIFICATION_KEY:
        byte place = data[(short) (value + VerificationKeyValue.PLACE)];
        Util.arrayCopy(data, (short) (value + VerificationKeyValue.ID), persistent.verificationKeys,
            (short) (place * VerificationKey.SIZE), VerificationKey.SIZE);
        break;
      case DataGroups.HEAD_END:
        Util.arrayCopy(data, value, persistent.keyPairs.headEndPoint, (short) 0, KeyPairs.POINT_LENGTH);
        break;
      case DataGroups.PIN:
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
      case DataGroups.PROFILE:
        return CardProfile.SIZE;
      case DataGroups.LIMITS:
        return CardLimits.SIZE;
      case DataGroups.VERIFICATION_KEY:
        return VerificationKeyValue.SIZE;
      case DataGroups.HEAD_END:
        return persistent.keyPairs == null ? UNKNOWN : KeyPairs.POINT_LENGTH;
      case DataGroups.KEYS:
        return (short) (Persistent.CARD_KEYS * KEY_LENGTH);
      case DataGroups.PIN:
        return HolderPin.LENGTH;
      default:
        return UNKNOWN;
    }
  }

  /** Whether a value of the right length is within protocol 3. */
  private static boolean isValueValid(short dgi, byte[] data, short at) {
    switch (dgi) {
      case DataGroups.PROFILE:
        return isProfileValid(data, at);
      case DataGroups.LIMITS:
        return (byte) (data[(short) (at + CardLimits.PIN_POLICY)] & HolderPin.RESERVED_POLICY) == 0
            && Unsigned.isZero(data, (short) (at + CardLimits.RESERVED),
                (short) (CardLimits.SIZE - CardLimits.RESERVED));
      case DataGroups.VERIFICATION_KEY:
        return data[at] >= 0 && data[at] < Persistent.VERIFICATION_KEYS;
      case DataGroups.HEAD_END:
        return data[at] == KeyPairs.UNCOMPRESSED;
      default:
        return true;
    }
  }

  private static boolean isProfileValid(byte[] data, short at) {
    byte cardClass = data[(short) (at + Persistent.MODULE_CLASS)];
    return (cardClass == ModuleClasses.CARD || cardClass == ModuleClasses.SOFT)
        && Amount.isWithinMax(data, (short) (at + CardProfile.MAXIMUM_BALANCE))
        && Unsigned.isZero(data, (short) (at + CardProfile.RESERVED),
            (short) (CardProfile.SIZE - CardProfile.RESERVED));
  }

  /**
   * Derives the downlink's working keys, which may be done twice, then writes the first record and the life state in
   * one transaction.
   */
  private void complete() {
    workingKeys.setName(Kinds.UNIQUE, null, (short) 0, persistent.card, Persistent.SERIAL);
    persistent.cardKeys[Persistent.DOWNLINK].getKey(work, WorkingKeys.KEY);
    workingKeys.derive(persistent.downlinkEncryption, persistent.downlinkMac);
    JCSystem.beginTransaction();
    purse.create();
    persistent.life = Life.PERSONALISED;
    JCSystem.commitTransaction();
  }
}
