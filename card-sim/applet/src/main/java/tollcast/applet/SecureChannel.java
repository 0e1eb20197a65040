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

  /** In RAM: level of the open channel, PENDING, or 0 for none. */
  private static final short STATE = 0;
  /** Level of the command at hand, 0 for a plain one. */
  private static final short CURRENT = 1;
  /** Number u32 of the command in its session. */
  private static final short COUNTER = 2;
  /** MAC chaining value; while PENDING, first the host cryptogram that must come. */
  private static final short CHAINING = 6;
  static final short RAM_LENGTH = 22;

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

  /** Bits that a derivation makes. */
  private static final byte SHORT_BITS = 64;
  private static final byte KEY_BITS = (byte) 128;

  private static final short CHALLENGE = 8;
  private static final short BLOCK = 16;
  private static final short AUTHENTICATION = (short) (CHALLENGE + MAC_LENGTH);

  /** In `work`, below what {@link Cmac} needs: input of a derivation, its context, and what comes out. */
  private static final short INPUT = 0;
  private static final short CONTEXT = 16;
  private static final short RESULT = 64;

  /** Answer to INITIALIZE UPDATE. */
  private static final short ANSWER_VERSION = 10;
  private static final short ANSWER_CHALLENGE = 13;
  private static final short ANSWER_CRYPTOGRAM = 21;
  private static final short ANSWER_COUNTER = 29;
  private static final short ANSWER_LENGTH = 32;
  private static final byte PROTOCOL = 0x03;
  private static final byte PROTOCOL_I = 0x30;

  private static final short DATA = ISO7816.OFFSET_CDATA;

  private final ChannelKeys keys;
  private final AESKey[] session;
  private final byte[] ram;
  private final short at;
  private final Cmac cmac;
  private final byte[] work;

  /**
   * @param session three transient keys
   * @param ram cleared at reset, of which {@link #RAM_LENGTH} octets from `at` are the channel's
   * @param work 160 octets that keep nothing between two calls
   */
  SecureChannel(ChannelKeys keys, AESKey[] session, byte[] ram, short at, Cmac cmac, byte[] work) {
    this.keys = keys;
    this.session = session;
    this.ram = ram;
    this.at = at;
    this.cmac = cmac;
    this.work = work;
  }

  /** Before every command: it is a plain one until {@link #unwrap} says otherwise. */
  void begin() {
    ram[(short) (at + CURRENT)] = 0;
  }

  /** Whether the command at hand came with all of these bits. */
  boolean has(byte bits) {
    return (byte) (ram[(short) (at + CURRENT)] & bits) == bits;
  }

  /** Ends the channel, by SELECT or a failure. */
  void end() {
    if (ram[(short) (at + STATE)] == 0) {
      return;
    }
    for (byte i = 0; i < SESSION_KEYS; i++) {
      session[i].clearKey();
    }
    Util.arrayFillNonAtomic(ram, at, RAM_LENGTH, (byte) 0);
  }

  /**
   * INITIALIZE UPDATE. One that succeeds ends an open channel.
   *
   * @param alive whether the life state allows it
   * @param card where the card id is, zeros on a blank card
   * @return length of the answer, from the start of the buffer
   */
  short initializeUpdate(byte[] buffer, short length, boolean alive, byte[] card, short cardAt) {
    if (buffer[ISO7816.OFFSET_P2] != 0) {
      ISOException.throwIt(StatusWords.WRONG_PARAMETERS);
    }
    if (length != CHALLENGE) {
      ISOException.throwIt(StatusWords.WRONG_LENGTH);
    }
    if (!alive) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
    keys.checkVersion(buffer[ISO7816.OFFSET_P1]);
    if (keys.counterIsLast()) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
    end();
    // 6.2.2.1, then the context of all that follows: host challenge, card challenge.
    keys.copyCounter(work, CONTEXT);
    short aid = JCSystem.getAID().getBytes(work, (short) (CONTEXT + ChannelKeys.COUNTER_LENGTH));
    derive(keys.enc(), FOR_CARD_CHALLENGE, (short) (ChannelKeys.COUNTER_LENGTH + aid), SHORT_BITS);
    Util.arrayCopyNonAtomic(buffer, DATA, work, CONTEXT, CHALLENGE);
    Util.arrayCopyNonAtomic(work, RESULT, work, (short) (CONTEXT + CHALLENGE), CHALLENGE);
    Util.arrayCopyNonAtomic(work, RESULT, buffer, ANSWER_CHALLENGE, CHALLENGE);
    // 6.2.1
    sessionKey(S_ENC, keys.enc(), FOR_S_ENC);
    sessionKey(S_MAC, keys.mac(), FOR_S_MAC);
    sessionKey(S_RMAC, keys.mac(), FOR_S_RMAC);
    // 6.2.2.2, 6.2.2.3
    derive(session[S_MAC], FOR_CARD_CRYPTOGRAM, BLOCK, SHORT_BITS);
    Util.arrayCopyNonAtomic(work, RESULT, buffer, ANSWER_CRYPTOGRAM, CHALLENGE);
    derive(session[S_MAC], FOR_HOST_CRYPTOGRAM, BLOCK, SHORT_BITS);
    Util.arrayCopyNonAtomic(work, RESULT, ram, (short) (at + CHAINING), CHALLENGE);
    forgetWork();
    ram[(short) (at + STATE)] = PENDING;
    Util.arrayCopyNonAtomic(card, cardAt, buffer, (short) 0, (short) 8);
    Util.setShort(buffer, (short) 8, (short) 0);
    buffer[ANSWER_VERSION] = keys.version();
    buffer[(short) (ANSWER_VERSION + 1)] = PROTOCOL;
    buffer[(short) (ANSWER_VERSION + 2)] = PROTOCOL_I;
    keys.copyCounter(buffer, ANSWER_COUNTER);
    return ANSWER_LENGTH;
  }

  /** EXTERNAL AUTHENTICATE. */
  void externalAuthenticate(byte[] buffer, short length) {
    byte level = buffer[ISO7816.OFFSET_P1];
    if ((byte) (level & (byte) ~(C_ENC | R_MAC)) != C_MAC || buffer[ISO7816.OFFSET_P2] != 0) {
      ISOException.throwIt(StatusWords.WRONG_PARAMETERS);
    }
    if (length != AUTHENTICATION) {
      ISOException.throwIt(StatusWords.WRONG_LENGTH);
    }
    if (ram[(short) (at + STATE)] != PENDING) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
    Util.arrayCopyNonAtomic(ram, (short) (at + CHAINING), work, INPUT, CHALLENGE);
    Util.arrayFillNonAtomic(ram, (short) (at + CHAINING), BLOCK, (byte) 0);
    if (!chain(buffer, CHALLENGE)) {
      end();
      ISOException.throwIt(StatusWords.CRYPTO);
    }
    if (!same(work, INPUT, buffer, DATA)) {
      end();
      ISOException.throwIt(StatusWords.WRONG_CRYPTOGRAM);
    }
    // Before the channel is open: no session ever has a counter that a later one has again.
    keys.raiseCounter(work, INPUT);
    ram[(short) (at + STATE)] = level;
  }

  /**
   * Takes the secure messaging off the command of `length` octets of data, in its place: a plain command of class 80 is left.
   *
   * @return length of its data
   */
  short unwrap(byte[] buffer, short length) {
    byte level = ram[(short) (at + STATE)];
    if (level == 0 || level == PENDING) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
    short sent = (short) (length - MAC_LENGTH);
    if (sent < 0 || !chain(buffer, sent)) {
      fail();
    }
    // 6.2.6: counted for every command, also where there is nothing to decipher.
    Unsigned.increment(ram, (short) (at + COUNTER), (short) 4);
    if ((byte) (level & C_ENC) != 0 && sent != 0) {
      sent = decipher(buffer, sent);
    }
    buffer[ISO7816.OFFSET_CLA] = (byte) 0x80;
    buffer[ISO7816.OFFSET_LC] = (byte) sent;
    ram[(short) (at + CURRENT)] = level;
    return sent;
  }

  /**
   * Puts the R-MAC behind an answer, if it gets one (6.2.5); there is room for 8 octets behind its data.
   *
   * @return length of data and R-MAC
   */
  short wrap(byte[] buffer, short from, short length, short status) {
    byte first = (byte) (status >> 8);
    if (!has(R_MAC) || (status != ISO7816.SW_NO_ERROR && first != 0x62 && first != 0x63)) {
      return length;
    }
    short end = (short) (from + length);
    Util.setShort(buffer, end, status);
    cmac.init(session[S_RMAC]);
    cmac.update(ram, (short) (at + CHAINING), BLOCK);
    cmac.sign(buffer, from, (short) (length + 2), work, RESULT);
    Util.arrayCopyNonAtomic(work, RESULT, buffer, end, MAC_LENGTH);
    return (short) (length + MAC_LENGTH);
  }

  /** 6.2.4: moves the chain on and says whether the C-MAC behind `sent` octets of data is right. */
  private boolean chain(byte[] buffer, short sent) {
    short chaining = (short) (at + CHAINING);
    cmac.init(session[S_MAC]);
    cmac.update(ram, chaining, BLOCK);
    cmac.sign(buffer, (short) 0, (short) (DATA + sent), ram, chaining);
    return same(ram, chaining, buffer, (short) (DATA + sent));
  }

  /** Deciphers in place; returns the length without padding. */
  private short decipher(byte[] buffer, short sent) {
    if ((short) (sent & (short) (BLOCK - 1)) != 0) {
      fail();
    }
    Util.arrayFillNonAtomic(work, INPUT, (short) (BLOCK - 4), (byte) 0);
    Util.arrayCopyNonAtomic(ram, (short) (at + COUNTER), work, (short) (INPUT + (short) (BLOCK - 4)), (short) 4);
    cmac.encipherBlock(session[S_ENC], INPUT);
    keys.decipher(session[S_ENC], work, INPUT, buffer, DATA, sent);
    short end = (short) ((short) (DATA + sent) - 1);
    short most = (short) ((short) (end - BLOCK) + 1);
    while (end > most && buffer[end] == 0) {
      end--;
    }
    if (buffer[end] != (byte) 0x80) {
      fail();
    }
    return (short) (end - DATA);
  }

  private void fail() {
    end();
    ISOException.throwIt(StatusWords.CRYPTO);
  }

  private void sessionKey(byte which, AESKey from, byte constant) {
    derive(from, constant, BLOCK, KEY_BITS);
    session[which].setKey(work, RESULT);
  }

  /** 4.1.5: label, separation, length in bits, counter, then the context that stands in `work`. */
  private void derive(AESKey key, byte constant, short contextLength, byte bits) {
    Util.arrayFillNonAtomic(work, INPUT, BLOCK, (byte) 0);
    work[(short) (INPUT + 11)] = constant;
    work[(short) (INPUT + 14)] = bits;
    work[(short) (INPUT + 15)] = 1;
    cmac.init(key);
    cmac.sign(work, INPUT, (short) (BLOCK + contextLength), work, RESULT);
  }

  private void forgetWork() {
    Util.arrayFillNonAtomic(work, INPUT, (short) (RESULT + BLOCK), (byte) 0);
  }

  /** Compares 8 octets without leaving early. */
  private static boolean same(byte[] a, short aAt, byte[] b, short bAt) {
    byte difference = 0;
    for (short i = 0; i < MAC_LENGTH; i++) {
      difference |= (byte) (a[(short) (aAt + i)] ^ b[(short) (bAt + i)]);
    }
    return difference == 0;
  }
}
