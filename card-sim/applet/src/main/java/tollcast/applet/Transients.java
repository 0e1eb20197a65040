package tollcast.applet;

import javacard.framework.JCSystem;
import javacard.security.AESKey;
import javacard.security.KeyBuilder;
import javacard.security.Signature;
import javacardx.crypto.Cipher;

/** All that goes with the power; made at install, never after. */
final class Transients {
  /** 1 when the record has been found since the last reset. */
  static final short STARTED = 0;
  /** Slot of the newest record. */
  static final short NEWEST = 1;
  /** Where LIST KEYS goes on, 0 when it does not. */
  static final short LIST = 2;
  /** Service u32 of the open session, 0 when none is. */
  static final short SERVICE = 4;
  /** Used u64, and taken u64 of the record, both in ticks. */
  static final short USED = 8;
  static final short LIMIT = 16;
  /** Totals and marks as in the record, with every group opened. */
  static final short TOTALS = 24;
  static final short MARKS = 56;
  /** For each mark: 1 when its group was opened since the last OPEN. */
  static final short OPENED = 88;
  /** Highest media time u32 opened since reset. */
  static final short HIGHEST_TIME = 92;
  /** The last charge, and tariff u8, units u24 and price u32 that it was made from. */
  static final short CHARGE_OF = 96;
  static final short CHARGE_UNITS = 97;
  static final short CHARGE_PRICE = 100;
  static final short CHARGE = 104;
  /** Used with the group at hand. */
  static final short NEED = 112;
  /** Registers for what a method computes. */
  static final short A = 120;
  static final short B = 128;
  static final short C = 136;
  /** Of the secure channel. */
  static final short CHANNEL = 144;
  static final short RAM_LENGTH = (short) (CHANNEL + SecureChannel.RAM_LENGTH);

  /** Where tags are computed, in `work`. */
  static final short TAG = 160;

  static final byte SEGMENT_SLOTS = 4;
  static final byte CONTENT_SLOTS = 2;

  final byte[] ram;
  /** One record, or one receipt, or the making of two keys; its last 16 octets a tag. */
  final byte[] work;
  final AESKey[] channelKeys;
  final KeyTable segments;
  final KeyTable contents;
  /** One each for a content slot, so that DECODE never initialises (most chips write for it). */
  final Cipher[] contentCipher;
  final Signature[] contentMac;

  Transients() {
    ram = JCSystem.makeTransientByteArray(RAM_LENGTH, JCSystem.CLEAR_ON_RESET);
    work = JCSystem.makeTransientByteArray(PurseRecord.LENGTH, JCSystem.CLEAR_ON_RESET);
    channelKeys = new AESKey[SecureChannel.SESSION_KEYS];
    for (byte i = 0; i < SecureChannel.SESSION_KEYS; i++) {
      channelKeys[i] = (AESKey) KeyBuilder.buildKey(KeyBuilder.TYPE_AES_TRANSIENT_RESET, KeyBuilder.LENGTH_AES_128,
          false);
    }
    segments = table(SEGMENT_SLOTS, KeyTable.LISTED);
    contents = table(CONTENT_SLOTS, KeyTable.CONTENT_LENGTH);
    contentCipher = new Cipher[CONTENT_SLOTS];
    contentMac = new Signature[CONTENT_SLOTS];
    for (byte slot = 0; slot < CONTENT_SLOTS; slot++) {
      contentCipher[slot] = Cipher.getInstance(Cipher.ALG_AES_BLOCK_128_CBC_NOPAD, false);
      contentMac[slot] = Signature.getInstance(Signature.ALG_AES_MAC_128_NOPAD, false);
    }
  }

  private static KeyTable table(byte count, short length) {
    byte[] entries = JCSystem.makeTransientByteArray((short) (count * length), JCSystem.CLEAR_ON_RESET);
    return new KeyTable(entries, count, length, count, KeyBuilder.TYPE_AES_TRANSIENT_RESET);
  }
}
