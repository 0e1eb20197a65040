package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.Util;

/** STORE DATA: what the issuer puts on a blank card, once (protocol 3). */
final class Personalisation {
  /** DGI u16 and length u8. */
  static final short HEADER = 3;

  private static final short DGI_CARD = 0x0001;
  private static final short DGI_KEYS = (short) 0x8001;
  private static final byte CARD_BIT = 1;
  private static final byte KEYS_BIT = 2;
  private static final byte BOTH = 3;
  private static final short KEYS_LENGTH = 96;
  private static final byte TOP_OF_AMOUNT = 0x7F;

  private final Persistent persistent;
  private final Purse purse;
  private final KeySplit split;
  private final byte[] work;

  Personalisation(Persistent persistent, Transients transients, Purse purse, KeySplit split) {
    this.persistent = persistent;
    this.purse = purse;
    this.split = split;
    work = transients.work;
  }

  /** Stores one DGI of at least 3 octets; the last makes the card active. */
  void store(byte[] data, short at, short length, boolean last) {
    short dgi = Util.getShort(data, at);
    short value = (short) (at + HEADER);
    short valueLength = (short) (data[(short) (at + 2)] & 0xFF);
    boolean fits = valueLength == (short) (length - HEADER);
    byte bit = 0;
    if (fits && dgi == DGI_CARD && valueLength == Persistent.CARD_LENGTH && inside(data, value)) {
      bit = CARD_BIT;
    } else if (fits && dgi == DGI_KEYS && valueLength == KEYS_LENGTH) {
      bit = KEYS_BIT;
    } else {
      ISOException.throwIt(StatusWords.FIELD);
    }
    byte present = (byte) (persistent.present | bit);
    if (last && present != BOTH) {
      ISOException.throwIt(StatusWords.STATE);
    }
    // Not present while it changes: a power cut leaves a card that asks for the DGI again.
    persistent.present = (byte) (persistent.present & (byte) ~bit);
    if (bit == CARD_BIT) {
      Util.arrayCopy(data, value, persistent.card, Persistent.CARD_ID, Persistent.CARD_LENGTH);
    } else {
      for (byte i = 0; i < Persistent.CARD_KEYS; i++) {
        persistent.cardKeys[i].setKey(data, (short) (value + (short) (16 * i)));
      }
    }
    persistent.present = present;
    if (last) {
      activate();
    } else {
      persistent.life = Persistent.PERSONALISED;
    }
  }

  /** Whether the value of DGI 0001 is within protocol 3 and 1. */
  private static boolean inside(byte[] data, short at) {
    byte moduleClass = data[(short) (at + Persistent.CARD_CLASS)];
    short maximum = (short) (at + Persistent.MAXIMUM_BALANCE);
    return (moduleClass == Kinds.CLASS_CARD || moduleClass == Kinds.CLASS_SOFT) && data[maximum] == 0
        && data[(short) (maximum + 1)] >= 0 && data[(short) (maximum + 1)] <= TOP_OF_AMOUNT
        && Unsigned.isZero(data, (short) (at + Persistent.RESERVED), (short) 2);
  }

  /** Makes the downlink keys and the first record; the life state last, as everything before may be done again. */
  private void activate() {
    split.name(Kinds.UNIQUE, null, (short) 0, persistent.card, Persistent.CARD_SERIAL);
    persistent.cardKeys[Persistent.DOWNLINK].getKey(work, KeySplit.KEY);
    split.split(persistent.downlinkWrap, persistent.downlinkMac);
    purse.create();
    persistent.life = Persistent.ACTIVE;
  }
}
