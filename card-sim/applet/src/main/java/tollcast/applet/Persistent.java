package tollcast.applet;

import javacard.framework.OwnerPIN;
import javacard.framework.Util;
import javacard.security.AESKey;
import javacard.security.KeyBuilder;

/** All that lasts without power, about 19 KB; made at install, never after. */
final class Persistent {
  static final byte BLANK = 0x00;
  static final byte PERSONALISED = 0x01;
  static final byte ACTIVE = 0x03;
  static final byte BLOCKED = 0x07;
  static final byte TERMINATED = 0x0F;

  /** DGI 0001 (protocol 3). */
  static final short CARD_ID = 0;
  static final short CARD_CLASS = 3;
  static final short CARD_SERIAL = 4;
  static final short CURRENCY = 8;
  static final short MAXIMUM_BALANCE = 10;
  static final short MOST_UNACKNOWLEDGED = 16;
  static final short RESERVED = 22;
  static final short CARD_LENGTH = 24;

  /** DGI 0002. The record has the spend limit that counts. */
  static final short SPEND_LIMIT = 0;
  static final short RATING_LIMIT = 6;
  static final short PIN_POLICY = 7;
  static final short LIMITS_RESERVED = 8;
  static final short LIMITS_LENGTH = 16;

  /** DGI 0003: four of id u32, Ed25519 public key 32. */
  static final byte VERIFICATION_KEYS = 4;
  static final short VERIFICATION_LENGTH = 36;

  /** The keys of DGI 8001, in its order. */
  static final byte DOWNLINK = 0;
  static final byte UPLINK = 1;
  static final byte RECEIPT = 2;
  static final byte ACKNOWLEDGEMENT = 3;
  static final byte LOAD_IN = 4;
  static final byte LOAD_OUT = 5;
  static final byte CARD_KEYS = 6;

  /** Slots of service and segment keys, then of key pairs of services, then of seed purchases. */
  static final byte KEYED_PURCHASES = 16;
  static final byte PAIR_PURCHASES = 4;
  static final byte FIRST_SEEDS = 20;
  static final byte PURCHASES = 24;
  static final byte NODES = 12;
  static final short RECORDS = 64;
  static final short RECEIPTS = 32;

  byte life;
  /** Which DGIs are here: bit 0 is 0001, bit 1 is 8001, bit 2 is 8002. */
  byte present;
  final byte[] card;
  final byte[] limits;
  final byte[] verification;
  final OwnerPIN pin;
  final AESKey[] cardKeys;
  /** Of the secure channel, as {@link ChannelKeys} has them. */
  final AESKey[] channelKeys;
  final byte[] channelState;
  /** The two keys made of the downlink key. */
  final AESKey downlinkWrap;
  final AESKey downlinkMac;
  /** High u32 and bitmap u32 of the numbers taken under the unique key; bit 0 of the bitmap is high itself. */
  final byte[] window;
  final KeyTable purchases;
  /** Of the seed purchases, as {@link Marks} has them. */
  final byte[] seeds;
  final KeyTable nodes;
  final byte[] records;
  final byte[] receipts;
  /** Null where the chip has no P-256. */
  final KeyPairs keyPairs;

  Persistent() {
    card = new byte[CARD_LENGTH];
    limits = new byte[LIMITS_LENGTH];
    Util.arrayFillNonAtomic(limits, SPEND_LIMIT, (short) 6, (byte) 0xFF);
    verification = new byte[(short) (VERIFICATION_KEYS * VERIFICATION_LENGTH)];
    pin = new OwnerPIN(HolderPin.TRIES, HolderPin.LENGTH);
    cardKeys = keys(CARD_KEYS);
    channelKeys = keys(ChannelKeys.KEYS);
    channelState = new byte[ChannelKeys.STATE_LENGTH];
    downlinkWrap = key();
    downlinkMac = key();
    window = new byte[8];
    purchases = new KeyTable(new byte[(short) (PURCHASES * KeyTable.PURCHASE_LENGTH)], PURCHASES,
        KeyTable.PURCHASE_LENGTH, KEYED_PURCHASES, KeyBuilder.TYPE_AES);
    seeds = new byte[Marks.storage()];
    nodes = new KeyTable(new byte[(short) (NODES * Tree.LENGTH)], NODES, Tree.LENGTH, (byte) 0, KeyBuilder.TYPE_AES);
    records = new byte[(short) (RECORDS * PurseRecord.LENGTH)];
    receipts = new byte[(short) (RECEIPTS * Receipts.LENGTH)];
    keyPairs = KeyPairs.probe(PAIR_PURCHASES);
  }

  private static AESKey[] keys(byte count) {
    AESKey[] keys = new AESKey[count];
    for (byte i = 0; i < count; i++) {
      keys[i] = key();
    }
    return keys;
  }

  private static AESKey key() {
    return (AESKey) KeyBuilder.buildKey(KeyBuilder.TYPE_AES, KeyBuilder.LENGTH_AES_128, false);
  }
}
