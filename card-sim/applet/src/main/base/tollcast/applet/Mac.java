package tollcast.applet;

import javacard.security.AESKey;

/** The AES-CBC-MAC of protocol 1.1 over whole blocks. */
final class Mac {
  static final short LENGTH = 16;
  /** Octets of a MAC8. */
  static final short SHORT_LENGTH = 8;
  private static final short TAG = Transients.TAG;

  /** Others may use it, too: each use initialises it anew. */
  final MacEngine engine;
  private final byte[] work;

  Mac(Transients transients) {
    engine = transients.macEngine;
    work = transients.work;
  }

  /** Writes the 16-octet tag of `length` octets right behind them. */
  void sign(AESKey key, byte[] message, short at, short length) {
    engine.init(key);
    engine.sign(message, at, length, message, (short) (at + length));
  }

  /** Whether the tag of `tagLength` octets behind `length` octets is right. */
  boolean isTagRight(AESKey key, byte[] message, short at, short length, short tagLength) {
    engine.init(key);
    engine.sign(message, at, length, work, TAG);
    return isTagAt(work, message, (short) (at + length), tagLength);
  }

  /**
   * The same with an engine that is initialised. It never calls Signature.verify, which compares 16 octets and may
   * leave early.
   */
  static boolean isTagRight(MacEngine engine, byte[] work, byte[] message, short at, short length,
      short tagLength) {
    engine.sign(message, at, length, work, TAG);
    return isTagAt(work, message, (short) (at + length), tagLength);
  }

  private static boolean isTagAt(byte[] work, byte[] message, short tag, short tagLength) {
    return tagLength == SHORT_LENGTH ? areShortTagsEqual(work, message, tag)
        : areEqual(work, TAG, message, tag, tagLength);
  }

  /** Compares without leaving early. */
  static boolean areEqual(byte[] a, short aAt, byte[] b, short bAt, short length) {
    byte difference = 0;
    for (short i = 0; i < length; i++) {
      difference |= (byte) (a[(short) (aAt + i)] ^ b[(short) (bAt + i)]);
    }
    return difference == 0;
  }

  /** The same for a MAC8, written out because each DECODE compares one. */
  private static boolean areShortTagsEqual(byte[] a, byte[] b, short at) {
    short difference = (short) (a[TAG] ^ b[at]);
    difference |= (short) (a[(short) (TAG + 1)] ^ b[(short) (at + 1)]);
    difference |= (short) (a[(short) (TAG + 2)] ^ b[(short) (at + 2)]);
    difference |= (short) (a[(short) (TAG + 3)] ^ b[(short) (at + 3)]);
    difference |= (short) (a[(short) (TAG + 4)] ^ b[(short) (at + 4)]);
    difference |= (short) (a[(short) (TAG + 5)] ^ b[(short) (at + 5)]);
    difference |= (short) (a[(short) (TAG + 6)] ^ b[(short) (at + 6)]);
    difference |= (short) (a[(short) (TAG + 7)] ^ b[(short) (at + 7)]);
    return difference == 0;
  }

  /** Starts a message with kind, version and length, whose upper octet is zero already. */
  static void writeHeader(byte[] message, byte kind, short length) {
    message[MessageFrame.KIND] = kind;
    message[MessageFrame.VERSION] = Kinds.VERSION;
    message[(short) (MessageFrame.LENGTH + 1)] = (byte) length;
  }

  /** Whether a message starts with this kind, version 1 and its own length. */
  static boolean hasHeader(byte[] message, short at, byte kind, short length) {
    return message[at] == kind && message[(short) (at + MessageFrame.VERSION)] == Kinds.VERSION
        && message[(short) (at + MessageFrame.LENGTH)] == 0
        && (short) (message[(short) (at + (short) (MessageFrame.LENGTH + 1))] & 0xFF) == length;
  }
}
