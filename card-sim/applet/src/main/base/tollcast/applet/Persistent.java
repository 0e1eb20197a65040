package tollcast.applet;

import javacard.framework.OwnerPIN;
import javacard.framework.Util;
import javacard.security.AESKey;
import javacard.security.KeyBuilder;

/** All that lasts without power, about 26 KB. It is made at installation and never after. */
final class Persistent {
  /** Bits of `present`: which data objects the card has. */
  static final byte HAS_PROFILE = 0x01;
  static final byte HAS_CARD_KEYS = 0x02;
  static final byte HAS_PIN = 0x04;

  /** Two parts of the card id in the card profile. */
  static final short MODULE_CLASS = CardProfile.CARD_ID + CardId.MODULE_CLASS;
  static final short SERIAL = CardProfile.CARD_ID + CardId.SERIAL;

  /** Places for verification keys. */
  static final byte VERIFICATION_KEYS = 4;

  /** The keys of DGI 8001, in its order. */
  static final byte DOWNLINK = 0;
  static final byte UPLINK = 1;
  static final byte RECEIPT = 2;
  static final byte ACKNOWLEDGEMENT = 3;
  static final byte LOAD_IN = 4;
  static final byte LOAD_OUT = 5;
  static final byte CARD_KEYS = 6;

  /** Purchases by place: service and segment keys, then private halves of services, then seeds. */
  static final byte KEYED_PURCHASES = 16;
  static final byte PAIR_PURCHASES = 4;
  static final byte FIRST_SEEDS = 20;
  static final byte PURCHASES = 24;
  static final byte NODES = 24;
  static final short RECORDS = 64;
  static final short RECEIPTS = 32;

  /** The life state, one of those in Life. */
  byte life;
  byte present;
  /** DGI 0001, laid out as in CardProfile. */
  final byte[] card;
  /** DGI 0002, laid out as in CardLimits. */
  final byte[] limits;
  final byte[] verificationKeys;
  final OwnerPIN pin;
  final AESKey[] cardKeys;
  /** Keys and state of the secure channel, laid out by ChannelKeys. */
  final AESKey[] channelKeys;
  final byte[] channelState;
  /** The working keys of the downlink key. */
  final AESKey downlinkEncryption;
  final AESKey downlinkMac;
  /** The window of message numbers, laid out by NumberWindow. */
  final byte[] window;
  final KeyTable purchases;
  /** The seeds of seed purchases, laid out by Marks. */
  final byte[] seeds;
  final KeyTable nodes;
  final byte[] records;
  final byte[] receipts;
  /** Null where the chip does not have P-256. */
  final KeyPairs keyPairs;

  Persistent() {
    card = new byte[CardProfile.SIZE];
    limits = new byte[CardLimits.SIZE];
    Util.arrayFillNonAtomic(limits, CardLimits.SPEND_LIMIT, Amount.LENGTH, (byte) 0xFF);
    verificationKeys = new byte[(short) (VERIFICATION_KEYS * VerificationKey.SIZE)];
    pin = new OwnerPIN(HolderPin.TRIES, HolderPin.LENGTH);
    cardKeys = KeyTable.makeKeys(CARD_KEYS, KeyBuilder.TYPE_AES);
    channelKeys = KeyTable.makeKeys(ChannelKeys.KEYS, KeyBuilder.TYPE_AES);
    channelState = new byte[ChannelKeys.STATE_LENGTH];
    downlinkEncryption = KeyTable.makeKey(KeyBuilder.TYPE_AES);
    downlinkMac = KeyTable.makeKey(KeyBuilder.TYPE_AES);
    window = new byte[NumberWindow.LENGTH];
    purchases = new KeyTable(new byte[(short) (PURCHASES * KeyTable.PURCHASE_ROW_LENGTH)], PURCHASES,
        KeyTable.PURCHASE_ROW_LENGTH, KEYED_PURCHASES, KeyBuilder.TYPE_AES);
    seeds = new byte[Marks.STORAGE_LENGTH];
    nodes = new KeyTable(new byte[(short) (NODES * Tree.LENGTH)], NODES, Tree.LENGTH, (byte) 0, KeyBuilder.TYPE_AES);
    records = new byte[(short) (RECORDS * PurseRecord.SIZE)];
    receipts = new byte[(short) (RECEIPTS * Receipt.SIZE)];
    keyPairs = KeyPairs.makeWhereSupported(PAIR_PURCHASES);
  }
}
