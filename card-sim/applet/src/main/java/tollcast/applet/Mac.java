package tollcast.applet;

import javacard.security.AESKey;
import javacard.security.Signature;

/** AES-CBC-MAC of protocol 1.1 over whole blocks, with the keys that have no Signature of their own. */
final class Mac {
  static final short LENGTH = 16;
  static final short SHORT = 8;

  /** For others between two uses. */
  final Signature signature;
  private final byte[] work;

  Mac(Transients transients) {
    signature = Signature.getInstance(Signature.ALG_AES_MAC_128_NOPAD, false);
    work = transients.work;
  }

  /** Writes the 16-octet tag of `length` octets right behind them. */
  void sign(AESKey key, byte[] message, short at, short length) {
    signature.init(key, Signature.MODE_SIGN);
    signature.sign(message, at, length, message, (short) (at + length));
  }

  /** Whether the tag of `tagLength` octets behind `length` octets is right. */
  boolean fits(AESKey key, byte[] message, short at, short length, short tagLength) {
    signature.init(key, Signature.MODE_SIGN);
    return fits(signature, work, message, at, length, tagLength);
  }

  /** The same with a Signature that has its key. Never Signature.verify: it compares 16 octets, and may leave early. */
  static boolean fits(Signature signature, byte[] work, byte[] message, short at, short length, short tagLength) {
    signature.sign(message, at, length, work, Transients.TAG);
    short tag = (short) (at + length);
    byte difference = 0;
    for (short i = 0; i < tagLength; i++) {
      difference |= (byte) (work[(short) (Transients.TAG + i)] ^ message[(short) (tag + i)]);
    }
    return difference == 0;
  }

  /** Whether a message starts with this kind, version 1 and the length it has. */
  static boolean framed(byte[] message, short at, byte kind, short length) {
    return message[at] == kind && message[(short) (at + 1)] == Kinds.VERSION && message[(short) (at + 2)] == 0
        && (short) (message[(short) (at + 3)] & 0xFF) == length;
  }
}
