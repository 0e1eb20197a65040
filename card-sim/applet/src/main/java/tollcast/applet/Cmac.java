package tollcast.applet;

import javacard.framework.Util;
import javacard.security.AESKey;
import javacard.security.Signature;

/** AES-CMAC (RFC 4493), which Java Card 2.2.2 does not have, made of AES-CBC-MAC, which it has. */
final class Cmac {
  /** Octets of a CMAC. */
  static final short LENGTH = 16;

  private static final short BLOCK = 16;
  /** Where in `work` the last block and the subkey are made. */
  private static final short LAST = 112;
  private static final short SUBKEY = 128;

  private final Signature cbcMac;
  private final byte[] work;

  /** @param cbcMac initialised by others between uses as they like */
  Cmac(Signature cbcMac, byte[] work) {
    this.cbcMac = cbcMac;
    this.work = work;
  }

  /** Starts a message. */
  void init(AESKey key) {
    cbcMac.init(key, Signature.MODE_SIGN);
    // RFC 4493 2.3. The CBC-MAC of one block is that block enciphered: L.
    Util.arrayFillNonAtomic(work, SUBKEY, BLOCK, (byte) 0);
    cbcMac.sign(work, SUBKEY, BLOCK, work, SUBKEY);
    twice();
  }

  /** The message's first octets, whole blocks, with more to come. */
  void update(byte[] message, short at, short length) {
    cbcMac.update(message, at, length);
  }

  /** The message's last octets, at least one; 16 octets to `out`. */
  void sign(byte[] message, short at, short length, byte[] out, short outAt) {
    short last = (short) ((short) (length - 1) & (short) (BLOCK - 1));
    short whole = (short) ((short) (length - last) - 1);
    last++;
    if (whole != 0) {
      cbcMac.update(message, at, whole);
    }
    Util.arrayCopyNonAtomic(message, (short) (at + whole), work, LAST, last);
    if (last != BLOCK) {
      work[(short) (LAST + last)] = (byte) 0x80;
      Util.arrayFillNonAtomic(work, (short) ((short) (LAST + last) + 1), (short) ((short) (BLOCK - last) - 1), (byte) 0);
      twice();
    }
    for (short i = 0; i < BLOCK; i++) {
      work[(short) (LAST + i)] ^= work[(short) (SUBKEY + i)];
    }
    cbcMac.sign(work, LAST, BLOCK, out, outAt);
  }

  /** Enciphers the 16 octets at `at` of `work` in their place; ends any message under way. */
  void encipherBlock(AESKey key, short at) {
    cbcMac.init(key, Signature.MODE_SIGN);
    cbcMac.sign(work, at, BLOCK, work, at);
  }

  /** L to K1, K1 to K2. */
  private void twice() {
    byte reduce = (byte) (work[SUBKEY] < 0 ? 0x87 : 0);
    short carry = 0;
    for (short i = (short) ((short) (SUBKEY + BLOCK) - 1); i >= SUBKEY; i--) {
      carry = (short) ((short) ((short) (work[i] & 0xFF) << 1) | carry);
      work[i] = (byte) carry;
      carry = (short) (carry >> 8);
    }
    work[(short) ((short) (SUBKEY + BLOCK) - 1)] ^= reduce;
  }
}
