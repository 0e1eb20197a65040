package tollcast.applet;

import javacard.framework.JCSystem;
import javacard.security.AESKey;
import javacard.security.KeyBuilder;
import javacard.security.Signature;
import javacardx.crypto.Cipher;

/**
 * All that is lost with the power. It is made at installation and never after. What no SELECT leaves is cleared when
 * another application is selected, too, and chips have more room for that.
 */
final class Transients {
  /** Offsets in `ram`. 1 when the purse record has been found since the last reset. */
  static final short STARTED = 0;
  /** Place of the newest purse record. */
  static final short NEWEST_RECORD = 1;
  /** Place of the key that LIST KEYS goes on with, 0 when nothing is left of a list. */
  static final short LIST_FROM = 2;
  /** Service u32 of the open session, 0 when none is open. */
  static final short SERVICE = 4;
  /** Used, u64 ticks. */
  static final short USED = 8;
  /** Taken of the record, in u64 ticks. */
  static final short TAKEN_TICKS = 16;
  /** Totals of the open session with every group opened, laid out as in SessionTotals. */
  static final short TOTALS = 24;
  /** Marks with every group opened, laid out as in the record. */
  static final short MARKS = 56;
  /** One octet for each mark: 1 when its group was opened since the last OPEN. */
  static final short OPENED = 88;
  /** Highest media time u32 opened since the reset. */
  static final short HIGHEST_TIME = 92;
  /** What the rate was computed from: tariff u8, price u32. */
  static final short RATE_TARIFF = 96;
  static final short RATE_PRICE = 97;
  /** Row of the tally's content key + 1, 0 without a tally; place of the last stream; groups that are not settled. */
  static final short TALLY_CONTENT = 101;
  static final short TALLY_STREAM = 102;
  static final short TALLY_GROUPS = 103;
  /** The charge of the present group, or of a tally, u64 ticks. */
  static final short CHARGE = 104;
  /** Used together with the charge of the present group, u64 ticks. */
  static final short USED_WITH_GROUP = 112;
  /** Three registers of 8 octets. Who computes in them gives them names of its own. */
  static final short REGISTER_1 = 120;
  static final short REGISTER_2 = 128;
  static final short REGISTER_3 = 136;
  /** Ticks of an octet or a millisecond, u64. */
  static final short RATE = 144;
  /** Octets u24, duration u24 and media time u32 of the last group, as in a card part. */
  static final short TALLY_OCTETS = 152;
  static final short TALLY_TIME = 158;
  /** Units that were surely covered when the tally was settled last, and those still covered, u32 each. */
  static final short TALLY_START = 162;
  static final short TALLY_LEFT = 166;
  /** Sum of what is not charged: the duration, or under a tariff by duration the octets, u32. */
  static final short TALLY_OTHERS = 170;
  static final short TALLY_TARIFF = 174;
  static final short RAM_LENGTH = 175;

  /** Where a tag or a decrypted vector of 16 octets stands in `work`. */
  static final short TAG = 160;

  static final byte SEGMENTS = 4;
  static final byte CONTENTS = 2;

  final byte[] ram;
  /** Where messages and records are made: one at a time, nothing stays from one command to the next. */
  final byte[] work;
  /** State of the secure channel, laid out by SecureChannel. */
  final byte[] channelState;
  final AESKey[] channelKeys;
  final KeyTable segments;
  final KeyTable contents;
  /** One engine each for a content key, because most chips write to EEPROM in init; so DECODE never initialises. */
  final Cipher[] contentCipher;
  final MacEngine[] contentMac;
  /** The engine of all other messages. Each use initialises it anew. */
  MacEngine macEngine;

  Transients() {
    ram = JCSystem.makeTransientByteArray(RAM_LENGTH, JCSystem.CLEAR_ON_RESET);
    work = JCSystem.makeTransientByteArray(PurseRecord.SIZE, JCSystem.CLEAR_ON_DESELECT);
    channelState = JCSystem.makeTransientByteArray(SecureChannel.STATE_LENGTH, JCSystem.CLEAR_ON_DESELECT);
    channelKeys = KeyTable.makeKeys(SecureChannel.SESSION_KEYS, KeyBuilder.TYPE_AES_TRANSIENT_DESELECT);
    segments = makeTable(SEGMENTS, KeyEntry.SIZE);
    contents = makeTable(CONTENTS, KeyTable.CONTENT_LENGTH);
    contentCipher = new Cipher[CONTENTS];
    contentMac = new MacEngine[CONTENTS];
  }

  /**
   * Makes the engines, once. The probe that finds `signature` goes deep into the runtime, so it is not called from here.
   *
   * @param signature as {@link MacEngine#findSignature} finds it, or null
   */
  void makeEngines(Signature signature) {
    boolean hasAlgorithm = signature != null;
    byte[] room = hasAlgorithm ? null : MacEngine.makeRoom();
    macEngine = new MacEngine(signature, room);
    for (byte row = 0; row < CONTENTS; row++) {
      contentCipher[row] = Cipher.getInstance(Cipher.ALG_AES_BLOCK_128_CBC_NOPAD, false);
      Signature own = hasAlgorithm ? MacEngine.makeSignature() : null;
      contentMac[row] = new MacEngine(own, room);
    }
  }

  /** Initialises the engines of a content key. */
  void initContentEngines(byte row) {
    contentCipher[row].init(contents.encryptionKey(row), Cipher.MODE_DECRYPT);
    contentMac[row].init(contents.macKey(row));
  }

  /** Initialises all of them again after SELECT: a runtime may forget them while another application is selected. */
  void initContentEngines() {
    for (byte row = 0; row < CONTENTS; row++) {
      if (contents.isUsed(row)) {
        initContentEngines(row);
      }
    }
  }

  private static KeyTable makeTable(byte count, short length) {
    byte[] entries = JCSystem.makeTransientByteArray((short) (count * length), JCSystem.CLEAR_ON_RESET);
    return new KeyTable(entries, count, length, count, KeyBuilder.TYPE_AES_TRANSIENT_RESET);
  }
}
