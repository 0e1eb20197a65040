package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;

/** STORE DATA: what the issuer puts on a blank card once, and what it may change later (protocol 3). */
final class Personalisation {
  /** DGI u16 and length u8. */
  static final short HEADER = 3;

  private static final short DGI_CARD = 0x0001;
  private static final short DGI_LIMITS = 0x0002;
  private static final short DGI_VERIFICATION = 0x0003;
  private static final short DGI_HEAD_END = 0x0004;
  private static final short DGI_KEYS = (short) 0x8001;
  private static final short DGI_PIN = (short) 0x8002;
  private static final byte CARD_BIT = 1;
  private static final byte KEYS_BIT = 2;
  private static final byte BOTH = 3;
  private static final short KEYS_LENGTH = 96;
  /** DGI 0003: slot u8, then what it holds. */
  private static final short SLOT_LENGTH = (short) (1 + Persistent.VERIFICATION_LENGTH);
  private static final byte TOP_OF_AMOUNT = 0x7F;

  private final Persistent persistent;
  private final Purse purse;
  private final KeySplit split;
  private final HolderPin pin;
  private final byte[] work;

  Personalisation(Persistent persistent, Transients transients, Purse purse, KeySplit split,
      HolderPin pin) {
    this.persistent = persistent;
    this.purse = purse;
    this.split = split;
    this.pin = pin;
    work = transients.work;
  }

  /**
   * Stores one DGI of at least 3 octets; on a blank card the last makes it personalised.
   *
   * @param enciphered whether it came enciphered
   */
  void store(byte[] data, short at, short length, boolean last, boolean enciphered) {
    short dgi = Util.getShort(data, at);
    boolean blank = persistent.life == Persistent.BLANK;
    // Protocol 3: a DGI of 8000 and more holds secrets.
    if (dgi < 0 && !enciphered) {
      ISOException.throwIt(StatusWords.SECURITY);
    }
    if (!blank && (dgi == DGI_CARD || dgi == DGI_KEYS)) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
    short value = (short) (at + HEADER);
    short valueLength = (short) (data[(short) (at + 2)] & 0xFF);
    if (valueLength != (short) (length - HEADER) || valueLength != lengthOf(dgi) || !inside(dgi, data, value)) {
      ISOException.throwIt(StatusWords.BAD_FIELD);
    }
    byte bit = dgi == DGI_CARD ? CARD_BIT : dgi == DGI_KEYS ? KEYS_BIT : 0;
    if (!blank) {
      change(dgi, data, value);
      return;
    }
    if (last && (byte) ((byte) (persistent.present | bit) & BOTH) != BOTH) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
    if (bit != 0) {
      // Not present while it changes: a power cut leaves a card that asks for the DGI again.
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

  /** What the issuer sets after personalisation; the spend limit goes into the record. */
  private void change(short dgi, byte[] data, short value) {
    if (dgi != DGI_LIMITS) {
      put(dgi, data, value);
      return;
    }
    JCSystem.beginTransaction();
    put(dgi, data, value);
    purse.limitSpending(data, (short) (value + Persistent.SPEND_LIMIT));
    JCSystem.commitTransaction();
  }

  private void put(short dgi, byte[] data, short value) {
    switch (dgi) {
      case DGI_CARD:
        Util.arrayCopy(data, value, persistent.card, Persistent.CARD_ID, Persistent.CARD_LENGTH);
        break;
      case DGI_LIMITS:
        Util.arrayCopy(data, value, persistent.limits, Persistent.SPEND_LIMIT, Persistent.LIMITS_LENGTH);
        break;
      case DGI_VERIFICATION:
        Util.arrayCopy(data, (short) (value + 1), persistent.verification,
            (short) (data[value] * Persistent.VERIFICATION_LENGTH), Persistent.VERIFICATION_LENGTH);
        break;
      case DGI_HEAD_END:
        Util.arrayCopy(data, value, persistent.keyPairs.headEnd, (short) 0, KeyPairs.POINT_LENGTH);
        break;
      case DGI_PIN:
        pin.set(data, value);
        break;
      default:
        for (byte i = 0; i < Persistent.CARD_KEYS; i++) {
          persistent.cardKeys[i].setKey(data, (short) (value + (short) (16 * i)));
        }
    }
  }

  /** Octets of a DGI's value, -1 for one that is not in the table of protocol 3. */
  private short lengthOf(short dgi) {
    switch (dgi) {
      case DGI_CARD:
        return Persistent.CARD_LENGTH;
      case DGI_LIMITS:
        return Persistent.LIMITS_LENGTH;
      case DGI_VERIFICATION:
        return SLOT_LENGTH;
      case DGI_HEAD_END:
        return persistent.keyPairs == null ? -1 : KeyPairs.POINT_LENGTH;
      case DGI_KEYS:
        return KEYS_LENGTH;
      case DGI_PIN:
        return HolderPin.LENGTH;
      default:
        return -1;
    }
  }

  /** Whether a value of the right length is within protocol 3. */
  private static boolean inside(short dgi, byte[] data, short at) {
    switch (dgi) {
      case DGI_CARD:
        return cardFits(data, at);
      case DGI_LIMITS:
        return (byte) (data[(short) (at + Persistent.PIN_POLICY)] & (byte) ~HolderPin.POLICY) == 0
            && Unsigned.isZero(data, (short) (at + Persistent.LIMITS_RESERVED),
                (short) (Persistent.LIMITS_LENGTH - Persistent.LIMITS_RESERVED));
      case DGI_VERIFICATION:
        return data[at] >= 0 && data[at] < Persistent.VERIFICATION_KEYS;
      case DGI_HEAD_END:
        return data[at] == KeyPairs.UNCOMPRESSED;
      default:
        return true;
    }
  }

  /** Whether the value of DGI 0001 is within protocol 3 and 1. */
  private static boolean cardFits(byte[] data, short at) {
    byte moduleClass = data[(short) (at + Persistent.CARD_CLASS)];
    short maximum = (short) (at + Persistent.MAXIMUM_BALANCE);
    return (moduleClass == Kinds.CLASS_CARD || moduleClass == Kinds.CLASS_SOFT) && data[maximum] == 0
        && data[(short) (maximum + 1)] >= 0 && data[(short) (maximum + 1)] <= TOP_OF_AMOUNT
        && Unsigned.isZero(data, (short) (at + Persistent.RESERVED), (short) 2);
  }

  /** Makes the downlink keys, which may be done again, then the first record and the life state in one. */
  private void complete() {
    split.name(Kinds.UNIQUE, null, (short) 0, persistent.card, Persistent.CARD_SERIAL);
    persistent.cardKeys[Persistent.DOWNLINK].getKey(work, KeySplit.KEY);
    split.split(persistent.downlinkWrap, persistent.downlinkMac);
    JCSystem.beginTransaction();
    purse.create();
    persistent.life = Persistent.PERSONALISED;
    JCSystem.commitTransaction();
  }
}
