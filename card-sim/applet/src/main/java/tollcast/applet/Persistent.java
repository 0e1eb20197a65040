package tollcast.applet;

import javacard.security.AESKey;
import javacard.security.KeyBuilder;

/** All that lasts without power, about 16 KB; made at install, never after. */
final class Persistent {
  static final byte BLANK = 0x00;
  static final byte PERSONALISED = 0x01;
  static final byte ACTIVE = 0x03;
  static final byte BLOCKED = 0x07;

  /** DGI 0001 (protocol 3). */
  static final short CARD_ID = 0;
  static final short CARD_CLASS = 3;
  static final short CARD_SERIAL = 4;
  static final short CURRENCY = 8;
  static final short MAXIMUM_BALANCE = 10;
  static final short MOST_UNACKNOWLEDGED = 16;
  static final short RESERVED = 22;
  static final short CARD_LENGTH = 24;

  /** The keys of DGI 8001, in its order. The uplink key has no work in this version. */
  static final byte DOWNLINK = 0;
  static final byte UPLINK = 1;
  static final byte RECEIPT = 2;
  static final byte ACKNOWLEDGEMENT = 3;
  static final byte LOAD_IN = 4;
  static final byte LOAD_OUT = 5;
  static final byte CARD_KEYS = 6;

  static final byte SERVICE_SLOTS = 16;
  static final short RECORDS = 64;
  static final short RECEIPTS = 32;

  byte life;
  /** Which DGIs are here: bit 0 is 0001, bit 1 is 8001. */
  byte present;
  final byte[] card;
  final AESKey[] cardKeys;
  /** The two keys made of the downlink key. */
  final AESKey downlinkWrap;
  final AESKey downlinkMac;
  /** High u32 and bitmap u32 of the numbers taken under the unique key; bit 0 of the bitmap is high itself. */
  final byte[] window;
  final KeyTable services;
  final byte[] records;
  final byte[] receipts;

  Persistent() {
    card = new byte[CARD_LENGTH];
    cardKeys = new AESKey[CARD_KEYS];
    for (byte i = 0; i < CARD_KEYS; i++) {
      cardKeys[i] = key();
    }
    downlinkWrap = key();
    downlinkMac = key();
    window = new byte[8];
    services = new KeyTable(Kinds.SERVICE, new byte[(short) (SERVICE_SLOTS * KeyTable.SERVICE_LENGTH)], SERVICE_SLOTS,
        KeyTable.SERVICE_LENGTH, KeyBuilder.TYPE_AES);
    records = new byte[(short) (RECORDS * PurseRecord.LENGTH)];
    receipts = new byte[(short) (RECEIPTS * Receipts.LENGTH)];
  }

  private static AESKey key() {
    return (AESKey) KeyBuilder.buildKey(KeyBuilder.TYPE_AES, KeyBuilder.LENGTH_AES_128, false);
  }
}
