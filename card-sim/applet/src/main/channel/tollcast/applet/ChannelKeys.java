package tollcast.applet;

import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.Util;
import javacard.security.AESKey;
import javacardx.crypto.Cipher;

/**
 * The static keys of the secure channel and its sequence counter. There are two places for a key set. PUT KEY fills the
 * one that is not in use and then changes over by one write, so that a power cut leaves one set or the other, whole.
 */
final class ChannelKeys {
  static final short COUNTER_LENGTH = 3;

  /** The keys of one set. */
  private static final byte ENC = 0;
  private static final byte MAC = 1;
  private static final byte DEK = 2;
  private static final byte SET = 3;
  /** The keys of both places. */
  static final byte KEYS = 6;

  /** In `state`: the place in use, 0 or 1; the version in each; the sequence counter. */
  private static final short PLACE = 0;
  private static final short VERSIONS = 1;
  private static final short COUNTER = 3;
  static final short STATE_LENGTH = 6;

  private static final short KEY_LENGTH = 16;
  /** The first key set: version, ENC, MAC, DEK. */
  private static final short INSTALLED_LENGTH = 49;

  /** PUT KEY (GlobalPlatform Card Specification 11.8.2.3): version, then a block for each of three keys. */
  private static final byte PUT_P2 = (byte) 0x81;
  private static final short PUT_LENGTH = 70;
  private static final short BLOCK = 23;
  private static final byte TYPE_AES = (byte) 0x88;
  private static final short BLOCK_KEY = 3;
  private static final short BLOCK_CHECK_LENGTH = 19;
  private static final short BLOCK_CHECK = 20;
  private static final short CHECK_LENGTH = 3;
  private static final short ANSWER_LENGTH = 10;

  /** In `work`: a key, and its check value. */
  private static final short KEY = 0;
  private static final short CHECK = 16;

  private final AESKey[] keys;
  private final byte[] state;
  private final Cmac cmac;
  private final Cipher cbc;
  private final byte[] work;

  /**
   * @param keys six persistent keys
   * @param state {@link #STATE_LENGTH} persistent octets
   * @param cbc may be initialised by others between two uses
   */
  ChannelKeys(AESKey[] keys, byte[] state, Cmac cmac, Cipher cbc, byte[] work) {
    this.keys = keys;
    this.state = state;
    this.cmac = cmac;
    this.cbc = cbc;
    this.work = work;
  }

  /** Takes the first key set from the application data of the install parameters; throws 6A80 without it. */
  void install(byte[] parameters, short at, short length) {
    if (length != INSTALLED_LENGTH || parameters[at] <= 0) {
      ISOException.throwIt(StatusWords.BAD_FIELD);
    }
    for (byte i = 0; i < SET; i++) {
      keys[i].setKey(parameters, (short) ((short) (at + 1) + (short) (KEY_LENGTH * i)));
    }
    state[VERSIONS] = parameters[at];
  }

  AESKey enc() {
    return presentKey(ENC);
  }

  AESKey mac() {
    return presentKey(MAC);
  }

  byte version() {
    return state[(short) (VERSIONS + state[PLACE])];
  }

  /** Requires 00 or the version of the present set; throws 6A88. */
  void requireVersion(byte named) {
    if (named != 0 && named != version()) {
      ISOException.throwIt(StatusWords.UNKNOWN_KEY);
    }
  }

  /** At FFFFFF no channel opens any more. */
  boolean isCounterUsedUp() {
    return (byte) (state[COUNTER] & (byte) (state[(short) (COUNTER + 1)] & state[(short) (COUNTER + 2)])) == -1;
  }

  void copyCounter(byte[] out, short outAt) {
    Util.arrayCopyNonAtomic(state, COUNTER, out, outAt, COUNTER_LENGTH);
  }

  /** Raises the counter by one atomic write. */
  void raiseCounter(byte[] scratch, short scratchAt) {
    copyCounter(scratch, scratchAt);
    Unsigned.increment(scratch, scratchAt, COUNTER_LENGTH);
    Util.arrayCopy(scratch, scratchAt, state, COUNTER, COUNTER_LENGTH);
  }

  /** Deciphers data in its place, by CBC with this initial chaining vector. */
  void decipher(AESKey key, byte[] vector, short vectorAt, byte[] data, short at, short length) {
    cbc.init(key, Cipher.MODE_DECRYPT, vector, vectorAt, KEY_LENGTH);
    cbc.doFinal(data, at, length, data, at);
  }

  /**
   * PUT KEY, inside the channel with C-ENC. Throws 6A86, 6700, 6A88, 6A80.
   *
   * @return length of the answer, from the start of the buffer: version and three check values
   */
  short put(byte[] buffer, short length) {
    Command.requireP2(buffer, PUT_P2);
    Command.requireLength(length, PUT_LENGTH);
    requireVersion(buffer[ISO7816.OFFSET_P1]);
    short data = Command.DATA;
    byte next = (byte) (1 - state[PLACE]);
    byte version = buffer[data];
    if (version <= 0) {
      ISOException.throwIt(StatusWords.BAD_FIELD);
    }
    for (byte i = 0; i < SET; i++) {
      short block = (short) ((short) (data + 1) + (short) (BLOCK * i));
      if (!storeKey(buffer, block, keys[(short) ((short) (SET * next) + i)])) {
        ISOException.throwIt(StatusWords.BAD_FIELD);
      }
    }
    state[(short) (VERSIONS + next)] = version;
    state[PLACE] = next;
    buffer[0] = version;
    for (byte i = 0; i < SET; i++) {
      short check = (short) ((short) (data + 1) + (short) ((short) (BLOCK * i) + BLOCK_CHECK));
      Util.arrayCopyNonAtomic(buffer, check, buffer, (short) (1 + (short) (CHECK_LENGTH * i)), CHECK_LENGTH);
    }
    return ANSWER_LENGTH;
  }

  /** Deciphers a block's key into `key`; returns whether the block and its check value are right. */
  private boolean storeKey(byte[] buffer, short at, AESKey key) {
    if (buffer[at] != TYPE_AES || buffer[(short) (at + 1)] != (byte) (KEY_LENGTH + 1)
        || buffer[(short) (at + 2)] != KEY_LENGTH || buffer[(short) (at + BLOCK_CHECK_LENGTH)] != CHECK_LENGTH) {
      return false;
    }
    cbc.init(presentKey(DEK), Cipher.MODE_DECRYPT);
    cbc.doFinal(buffer, (short) (at + BLOCK_KEY), KEY_LENGTH, work, KEY);
    key.setKey(work, KEY);
    Util.arrayFillNonAtomic(work, KEY, KEY_LENGTH, (byte) 0);
    Util.arrayFillNonAtomic(work, CHECK, KEY_LENGTH, (byte) 1);
    cmac.encipherBlock(key, CHECK);
    return Mac.areEqual(work, CHECK, buffer, (short) (at + BLOCK_CHECK), CHECK_LENGTH);
  }

  private AESKey presentKey(byte which) {
    return keys[(short) ((short) (SET * state[PLACE]) + which)];
  }
}
