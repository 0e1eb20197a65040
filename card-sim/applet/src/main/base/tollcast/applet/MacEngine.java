package tollcast.applet;

import javacard.framework.JCSystem;
import javacard.framework.Util;
import javacard.security.AESKey;
import javacard.security.Signature;
import javacardx.crypto.Cipher;

/**
 * AES-CBC-MAC over whole blocks: by the chip's own algorithm, or where the chip does not have it as the last block of
 * AES-CBC.
 */
final class MacEngine {
  private static final short BLOCK = 16;
  /** Octets enciphered at a time where the chip does not have the algorithm. */
  private static final short PIECE = 64;
  /** A piece, and a block that a chip may hold back until the message ends. */
  private static final short ROOM_LENGTH = (short) (PIECE + BLOCK);

  /** Null where the chip does not have the algorithm. */
  private final Signature signature;
  /** Null where it has. */
  private final Cipher cipher;
  private final byte[] room;

  /**
   * @param signature as {@link #findSignature} finds it, or null
   * @param room as {@link #makeRoom} makes it; several engines may share it
   */
  MacEngine(Signature signature, byte[] room) {
    this.signature = signature;
    this.room = room;
    cipher = signature == null ? Cipher.getInstance(Cipher.ALG_AES_BLOCK_128_CBC_NOPAD, false) : null;
  }

  /**
   * Returns the chip's own algorithm, or null where it does not have it. A chip may refuse as late as when it signs,
   * and by any exception. Key and octets are zero afterwards.
   */
  static Signature findSignature(AESKey key, byte[] work) {
    try {
      Signature found = makeSignature();
      key.setKey(work, (short) 0);
      found.init(key, Signature.MODE_SIGN);
      found.sign(work, (short) 0, BLOCK, work, BLOCK);
      return found;
    } catch (Exception e) {
      return null;
    } finally {
      key.clearKey();
      Util.arrayFillNonAtomic(work, (short) 0, (short) (2 * BLOCK), (byte) 0);
    }
  }

  /** Another one, where {@link #findSignature} found one. */
  static Signature makeSignature() {
    return Signature.getInstance(Signature.ALG_AES_MAC_128_NOPAD, false);
  }

  /** Where the pieces go of engines without the algorithm. */
  static byte[] makeRoom() {
    return JCSystem.makeTransientByteArray(ROOM_LENGTH, JCSystem.CLEAR_ON_DESELECT);
  }

  void init(AESKey key) {
    if (signature != null) {
      signature.init(key, Signature.MODE_SIGN);
    } else {
      cipher.init(key, Cipher.MODE_ENCRYPT);
    }
  }

  /** The message's first octets, in whole blocks, with more to come. */
  void update(byte[] message, short at, short length) {
    if (signature != null) {
      signature.update(message, at, length);
      return;
    }
    short last = encipherPieces(message, at, length);
    cipher.update(message, (short) ((short) (at + length) - last), last, room, (short) 0);
  }

  /** The message's last octets, in whole blocks; writes its 16-octet MAC to `out`. */
  void sign(byte[] message, short at, short length, byte[] out, short outAt) {
    if (signature != null) {
      signature.sign(message, at, length, out, outAt);
    } else {
      encipher(message, at, length, out, outAt);
    }
  }

  private void encipher(byte[] message, short at, short length, byte[] out, short outAt) {
    short last = encipherPieces(message, at, length);
    short enciphered = cipher.doFinal(message, (short) ((short) (at + length) - last), last, room, (short) 0);
    Util.arrayCopyNonAtomic(room, (short) (enciphered - BLOCK), out, outAt, BLOCK);
  }

  /** Enciphers all pieces but the last one. Returns the length of that, a block at least. */
  private short encipherPieces(byte[] message, short at, short length) {
    while (length > PIECE) {
      cipher.update(message, at, PIECE, room, (short) 0);
      at += PIECE;
      length -= PIECE;
    }
    return length;
  }
}
