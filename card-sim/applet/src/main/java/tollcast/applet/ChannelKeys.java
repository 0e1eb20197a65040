package tollcast.applet;

import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.Util;
import javacard.security.AESKey;
import javacardx.crypto.Cipher;

/**
 * The static keys of the secure channel and its sequence counter, persistent. Two places for a key set: PUT KEY fills the
 * one that is not in use and then changes over by one write, so that a power cut leaves one set or the other, whole.
 */
final class ChannelKeys {
  static final short COUNTER_LENGTH = 3;

  /** Keys of one set. */
  private static final byte ENC = 0;
  private static final byte MAC = 1;
  private static final byte DEK = 2;
  private static final byte SET = 3;
  /** Keys of both places. */
  static final byte KEYS = 6;

  /** Which place is in use, 0 or 1; the version in each; the counter. */
  private static final short PLACE = 0;
  private static final short VERSIONS = 1;
  private static final short COUNTER = 3;
  static final short STATE_LENGTH = 6;

  private static final short KEY_LENGTH = 16;
  /** Version, ENC, MAC, DEK. */
  private static final short INSTALLED_LENGTH = 49;

  /** PUT KEY (GlobalPlatform Card Specification 11.8.2.3): version, then three blocks. */
  private static final byte PUT_P2 = (byte) 0x81;
  private static final short PUT_LENGTH = 70;
  private static final short BLOCK = 23;
  private static final byte TYPE_AES = (byte) 0x88;
  private static final short BLOCK_KEY = 3;
  private static final short BLOCK_CHECK_LENGTH = 19;
  private static final short BLOCK_CHECK = 20;
  private static final short CHECK_LENGTH = 3;
  private static final short ANSWER_LENGTH = 10;

  /** In `work`. */
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
   * @param cbc initialised by others between uses as they like
   */
  ChannelKeys(AESKey[] keys, byte[] state, Cmac cmac, Cipher cbc, byte[] work) {
    this.keys = keys;
    this.state = state;
    this.cmac = cmac;
    this.cbc = cbc;
    this.work = work;
  }

  /** The first key set, from the application data of the install parameters; without it installation fails. */
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
    return present(ENC);
  }

  AESKey mac() {
    return present(MAC);
  }

  byte version() {
    return state[(short) (VERSIONS + state[PLACE])];
  }

  /** 00 names the present set. Throws 6A88 for another than it. */
  void checkVersion(byte named) {
    if (named != 0 && named != version()) {
      ISOException.throwIt(StatusWords.UNKNOWN_KEY);
    }
  }

  boolean counterIsLast() {
    return (byte) (state[COUNTER] & (byte) (state[(short) (COUNTER + 1)] & state[(short) (COUNTER + 2)])) == -1;
  }

  void copyCounter(byte[] out, short outAt) {
    Util.arrayCopyNonAtomic(state, COUNTER, out, outAt, COUNTER_LENGTH);
  }

  /** One atomic write. */
  void raiseCounter(byte[] scratch, short scratchAt) {
    copyCounter(scratch, scratchAt);
    Unsigned.increment(scratch, scratchAt, COUNTER_LENGTH);
    Util.arrayCopy(scratch, scratchAt, state, COUNTER, COUNTER_LENGTH);
  }

  /** Deciphers in place by CBC with the initial chaining vector given. */
  void decipher(AESKey key, byte[] vector, short vectorAt, byte[] data, short at, short length) {
    cbc.init(key, Cipher.MODE_DECRYPT, vector, vectorAt, KEY_LENGTH);
    cbc.doFinal(data, at, length, data, at);
  }

  /**
   * PUT KEY, inside the channel with C-ENC.
   *
   * @return length of the answer, from the start of the buffer: version and three check values
   */
  short put(byte[] buffer, short length) {
    if (buffer[ISO7816.OFFSET_P2] != PUT_P2) {
      ISOException.throwIt(StatusWords.WRONG_PARAMETERS);
    }
    if (length != PUT_LENGTH) {
      ISOException.throwIt(StatusWords.WRONG_LENGTH);
    }
    checkVersion(buffer[ISO7816.OFFSET_P1]);
    short data = ISO7816.OFFSET_CDATA;
    byte next = (byte) (1 - state[PLACE]);
    byte version = buffer[data];
    if (version <= 0) {
      ISOException.throwIt(StatusWords.BAD_FIELD);
    }
    for (byte i = 0; i < SET; i++) {
      if (!take(buffer, (short) ((short) (data + 1) + (short) (BLOCK * i)), keys[(short) ((short) (SET * next) + i)])) {
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

  /** Deciphers a block's key into `key`; whether all of the block is as it must be. */
  private boolean take(byte[] buffer, short at, AESKey key) {
    if (buffer[at] != TYPE_AES || buffer[(short) (at + 1)] != (byte) (KEY_LENGTH + 1)
        || buffer[(short) (at + 2)] != KEY_LENGTH || buffer[(short) (at + BLOCK_CHECK_LENGTH)] != CHECK_LENGTH) {
      return false;
    }
    cbc.init(present(DEK), Cipher.MODE_DECRYPT);
    cbc.doFinal(buffer, (short) (at + BLOCK_KEY), KEY_LENGTH, work, KEY);
    key.setKey(work, KEY);
    Util.arrayFillNonAtomic(work, KEY, KEY_LENGTH, (byte) 0);
    Util.arrayFillNonAtomic(work, CHECK, KEY_LENGTH, (byte) 1);
    cmac.encipherBlock(key, CHECK);
    byte difference = 0;
    for (short i = 0; i < CHECK_LENGTH; i++) {
      difference |= (byte) (work[(short) (CHECK + i)] ^ buffer[(short) ((short) (at + BLOCK_CHECK) + i)]);
    }
    return difference == 0;
  }

  private AESKey present(byte which) {
    return keys[(short) ((short) (SET * state[PLACE]) + which)];
  }
}
