package tollcast.applet;

import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;
import javacard.security.AESKey;

/** The card's end of SCP03 (GlobalPlatform Amendment D, AES-128, S8 mode, i = 30). */
final class SecureChannel {
  /** Bits of a security level. */
  static final byte C_MAC = 0x01;
  static final byte C_ENC = 0x02;
  static final byte R_MAC = 0x10;

  static final short MAC_LENGTH = 8;

  /** In RAM: the level of the open channel, PENDING, or 0 for none. */
  private static final short STATE = 0;
  /** The level that the present command came with, 0 for a plain one. */
  private static final short COMMAND_LEVEL = 1;
  /** The number u32 of the command in its session. */
  private static final short COUNTER = 2;
  /** The MAC chaining value. While PENDING, the host cryptogram that is expected stands here. */
  private static final short CHAINING = 6;
  static final short STATE_LENGTH = 22;

  /** INITIALIZE UPDATE has come, EXTERNAL AUTHENTICATE has not. */
  private static final byte PENDING = 0x40;

  /** Session keys. */
  private static final byte S_ENC = 0;
  private static final byte S_MAC = 1;
  private static final byte S_RMAC = 2;
  static final byte SESSION_KEYS = 3;

  /** Data derivation constants (Amendment D 4.1.5). */
  private static final byte FOR_CARD_CRYPTOGRAM = 0x00;
  private static final byte FOR_HOST_CRYPTOGRAM = 0x01;
  private static final byte FOR_CARD_CHALLENGE = 0x02;
  private static final byte FOR_S_ENC = 0x04;
  private static final byte FOR_S_MAC = 0x06;
  private static final byte FOR_S_RMAC = 0x07;

  /** Length in bits of what a derivation gives. */
  private static final byte CRYPTOGRAM_BITS = 64;
  private static final byte KEY_BITS = (byte) 128;

  private static final short CHALLENGE = 8;
  private static final short BLOCK = 16;
  private static final short AUTHENTICATION_LENGTH = (short) (CHALLENGE + MAC_LENGTH);
  private static final byte PADDING = (byte) 0x80;

  /** In `work`, below what Cmac needs: the input of a derivation, whose context is its second part, and the result. */
  private static final short INPUT = 0;
  private static final short CONTEXT = 16;
  private static final short RESULT = 64;

  /** The answer to INITIALIZE UPDATE: card id, version, protocol, challenge, cryptogram, sequence counter. */
  private static final short ANSWER_VERSION = 10;
  private static final short ANSWER_CHALLENGE = 13;
  private static final short ANSWER_CRYPTOGRAM = 21;
  private static final short ANSWER_COUNTER = 29;
  private static final short ANSWER_LENGTH = 32;
  private static final byte PROTOCOL = 0x03;
  private static final byte PROTOCOL_I = 0x30;

  private static final short DATA = Command.DATA;

  private final ChannelKeys keys;
  private final AESKey[] session;
  private final byte[] ram;
  private final Cmac cmac;
  private final byte[] work;

  /**
   * @param session three transient keys
   * @param ram {@link #STATE_LENGTH} octets, cleared at deselect
   * @param work 160 octets, in which nothing stays between two calls
   */
  SecureChannel(ChannelKeys keys, AESKey[] session, byte[] ram, Cmac cmac, byte[] work) {
    this.keys = keys;
    this.session = session;
    this.ram = ram;
    this.cmac = cmac;
    this.work = work;
  }

  /** Every command starts as a plain one, until {@link #unwrap} finds it wrapped. */
  void startCommand() {
    ram[COMMAND_LEVEL] = 0;
  }

  /** Whether the present command came with all of these bits of a level. */
  boolean hasLevel(byte bits) {
    return (byte) (ram[COMMAND_LEVEL] & bits) == bits;
  }

  /** Requires that the present command came with all of these bits of a level; throws 6982. */
  void requireLevel(byte bits) {
    if (!hasLevel(bits)) {
      ISOException.throwIt(StatusWords.SECURITY);
    }
  }

  /** Ends the channel, after SELECT or a failure. */
  void end() {
    if (ram[STATE] == 0) {
      return;
    }
    for (byte i = 0; i < SESSION_KEYS; i++) {
      session[i].clearKey();
    }
    Util.arrayFillNonAtomic(ram, STATE, STATE_LENGTH, (byte) 0);
  }

  /**
   * INITIALIZE UPDATE. One that is answered ends a channel that is open. Throws 6A86, 6700, 6985, 6A88.
   *
   * @param alive whether the life state allows it
   * @param card has the card id at `cardAt`, zeros on a blank card
   * @return length of the answer, from the start of the buffer
   */
  short initializeUpdate(byte[] buffer, short length, boolean alive, byte[] card, short cardAt) {
    Command.requireP2(buffer, (byte) 0);
    Command.requireLength(length, CHALLENGE);
    if (!alive) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
    keys.requireVersion(buffer[ISO7816.OFFSET_P1]);
    if (keys.isCounterUsedUp()) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
    end();
    // 6.2.2.1: the card challenge. Then host and card challenge are the context of all other derivations.
    keys.copyCounter(work, CONTEXT);
    short aid = JCSystem.getAID().getBytes(work, (short) (CONTEXT + ChannelKeys.COUNTER_LENGTH));
    derive(keys.enc(), FOR_CARD_CHALLENGE, (short) (ChannelKeys.COUNTER_LENGTH + aid), CRYPTOGRAM_BITS);
    Util.arrayCopyNonAtomic(buffer, DATA, work, CONTEXT, CHALLENGE);
    Util.arrayCopyNonAtomic(work, RESULT, work, (short) (CONTEXT + CHALLENGE), CHALLENGE);
    Util.arrayCopyNonAtomic(work, RESULT, buffer, ANSWER_CHALLENGE, CHALLENGE);
    // 6.2.1: session keys.
    deriveSessionKey(S_ENC, keys.enc(), FOR_S_ENC);
    deriveSessionKey(S_MAC, keys.mac(), FOR_S_MAC);
    deriveSessionKey(S_RMAC, keys.mac(), FOR_S_RMAC);
    // 6.2.2.2 and 6.2.2.3: cryptograms.
    derive(session[S_MAC], FOR_CARD_CRYPTOGRAM, BLOCK, CRYPTOGRAM_BITS);
    Util.arrayCopyNonAtomic(work, RESULT, buffer, ANSWER_CRYPTOGRAM, CHALLENGE);
    derive(session[S_MAC], FOR_HOST_CRYPTOGRAM, BLOCK, CRYPTOGRAM_BITS);
    Util.arrayCopyNonAtomic(work, RESULT, ram, CHAINING, CHALLENGE);
    clearWork();
    ram[STATE] = PENDING;
    Util.arrayCopyNonAtomic(card, cardAt, buffer, (short) 0, (short) 8);
    Util.setShort(buffer, (short) 8, (short) 0);
    buffer[ANSWER_VERSION] = keys.version();
    buffer[(short) (ANSWER_VERSION + 1)] = PROTOCOL;
    buffer[(short) (ANSWER_VERSION + 2)] = PROTOCOL_I;
    keys.copyCounter(buffer, ANSWER_COUNTER);
    return ANSWER_LENGTH;
  }

  /** EXTERNAL AUTHENTICATE; throws 6A86, 6700, 6985, 6988, 6300. */
  void externalAuthenticate(byte[] buffer, short length) {
    byte level = buffer[ISO7816.OFFSET_P1];
    if (!isLevel(level)) {
      ISOException.throwIt(StatusWords.WRONG_PARAMETERS);
    }
    Command.requireP2(buffer, (byte) 0);
    Command.requireLength(length, AUTHENTICATION_LENGTH);
    if (ram[STATE] != PENDING) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
    Util.arrayCopyNonAtomic(ram, CHAINING, work, INPUT, CHALLENGE);
    Util.arrayFillNonAtomic(ram, CHAINING, BLOCK, (byte) 0);
    if (!isChained(buffer, CHALLENGE)) {
      end();
      ISOException.throwIt(StatusWords.CRYPTO);
    }
    if (!Mac.areEqual(work, INPUT, buffer, DATA, CHALLENGE)) {
      end();
      ISOException.throwIt(StatusWords.WRONG_CRYPTOGRAM);
    }
    // The counter rises before the channel is open, so that no two sessions have the same.
    keys.raiseCounter(work, INPUT);
    ram[STATE] = level;
  }

  /** Whether P1 is a level: C-MAC, with or without C-ENC and R-MAC. */
  private static boolean isLevel(byte level) {
    return (byte) (level & (byte) ~(C_ENC | R_MAC)) == C_MAC;
  }

  /**
   * Checks and deciphers a wrapped command's data of `length` octets in its place. Of the header, CLA loses its logical
   * channel. Throws 6985, or 6988 after which the channel is closed.
   *
   * @return length of the plain data
   */
  short unwrap(byte[] buffer, short length) {
    byte level = ram[STATE];
    if (level == 0 || level == PENDING) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
    short dataLength = (short) (length - MAC_LENGTH);
    if (dataLength < 0 || !isChained(buffer, dataLength)) {
      fail();
    }
    // 6.2.6: every command counts, also one without data to decipher.
    Unsigned.increment(ram, COUNTER, (short) 4);
    if ((byte) (level & C_ENC) != 0 && dataLength != 0) {
      dataLength = decipher(buffer, dataLength);
    }
    ram[COMMAND_LEVEL] = level;
    return dataLength;
  }

  /**
   * Puts the R-MAC behind an answer that gets one (6.2.5). The buffer must have room for 8 more octets.
   *
   * @return length of data and R-MAC
   */
  short wrap(byte[] buffer, short from, short length, short status) {
    byte first = (byte) (status >> 8);
    if (!hasLevel(R_MAC) || (status != ISO7816.SW_NO_ERROR && first != 0x62 && first != 0x63)) {
      return length;
    }
    short end = (short) (from + length);
    Util.setShort(buffer, end, status);
    cmac.init(session[S_RMAC]);
    cmac.update(ram, CHAINING, BLOCK);
    cmac.sign(buffer, from, (short) (length + 2), work, RESULT);
    Util.arrayCopyNonAtomic(work, RESULT, buffer, end, MAC_LENGTH);
    return (short) (length + MAC_LENGTH);
  }

  /** Writes the R-MAC of an answer 9000 of whole blocks that stands elsewhere to the start of the buffer (6.2.5). */
  void writeAnswerMac(byte[] buffer, byte[] answer, short from, short length) {
    cmac.init(session[S_RMAC]);
    cmac.update(ram, CHAINING, BLOCK);
    cmac.update(answer, from, length);
    Util.setShort(buffer, (short) 0, StatusWords.DONE);
    cmac.sign(buffer, (short) 0, (short) 2, work, RESULT);
    Util.arrayCopyNonAtomic(work, RESULT, buffer, (short) 0, MAC_LENGTH);
  }

  /** 6.2.4: computes the next chaining value, and compares it with the C-MAC behind `length` octets of data. */
  private boolean isChained(byte[] buffer, short length) {
    // The number of the logical channel counts as zero (protocol 9.2).
    buffer[ISO7816.OFFSET_CLA] &= Command.WITHOUT_CHANNEL;
    cmac.init(session[S_MAC]);
    cmac.update(ram, CHAINING, BLOCK);
    cmac.sign(buffer, (short) 0, (short) (DATA + length), ram, CHAINING);
    return Mac.areEqual(ram, CHAINING, buffer, (short) (DATA + length), MAC_LENGTH);
  }

  /** Deciphers the data in its place; returns the length without padding. Throws 6988. */
  private short decipher(byte[] buffer, short length) {
    if ((short) (length & (short) (BLOCK - 1)) != 0) {
      fail();
    }
    // The chaining vector is the enciphered counter.
    Util.arrayFillNonAtomic(work, INPUT, (short) (BLOCK - 4), (byte) 0);
    Util.arrayCopyNonAtomic(ram, COUNTER, work, (short) (INPUT + (short) (BLOCK - 4)), (short) 4);
    cmac.encipherBlock(session[S_ENC], INPUT);
    keys.decipher(session[S_ENC], work, INPUT, buffer, DATA, length);
    short end = (short) ((short) (DATA + length) - 1);
    short lastBlock = (short) ((short) (end - BLOCK) + 1);
    while (end > lastBlock && buffer[end] == 0) {
      end--;
    }
    if (buffer[end] != PADDING) {
      fail();
    }
    return (short) (end - DATA);
  }

  /** Closes the channel; throws 6988. */
  private void fail() {
    end();
    ISOException.throwIt(StatusWords.CRYPTO);
  }

  private void deriveSessionKey(byte which, AESKey from, byte constant) {
    derive(from, constant, BLOCK, KEY_BITS);
    session[which].setKey(work, RESULT);
  }

  /** 4.1.5: the input is label, separation, length in bits, counter, and the context that stands in `work`. */
  private void derive(AESKey key, byte constant, short contextLength, byte bits) {
    Util.arrayFillNonAtomic(work, INPUT, BLOCK, (byte) 0);
    work[(short) (INPUT + 11)] = constant;
    work[(short) (INPUT + 14)] = bits;
    work[(short) (INPUT + 15)] = 1;
    cmac.init(key);
    cmac.sign(work, INPUT, (short) (BLOCK + contextLength), work, RESULT);
  }

  private void clearWork() {
    Util.arrayFillNonAtomic(work, INPUT, (short) (RESULT + BLOCK), (byte) 0);
  }
}
