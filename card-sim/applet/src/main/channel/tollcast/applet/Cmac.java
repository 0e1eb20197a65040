package tollcast.applet;

import javacard.framework.Util;
import javacard.security.AESKey;

/** AES-CMAC (RFC 4493). Java Card 2.2.2 does not have it, so it is made of AES-CBC-MAC. */
final class Cmac {
  /** Octets of a CMAC. */
  static final short LENGTH = 16;

  private static final short BLOCK = 16;
  /** The constant Rb of RFC 4493 2.3. */
  private static final byte RB = (byte) 0x87;
  private static final byte PADDING = (byte) 0x80;
  /** In `work`: the last block M_last, and L, then the subkey K1 or K2. */
  private static final short LAST_BLOCK = 112;
  private static final short SUBKEY = 128;

  private final MacEngine cbcMac;
  private final byte[] work;

  /** @param cbcMac may be initialised by others between two messages */
  Cmac(MacEngine cbcMac, byte[] work) {
    this.cbcMac = cbcMac;
    this.work = work;
  }

  /** Starts a message. */
  void init(AESKey key) {
    cbcMac.init(key);
    // RFC 4493 2.3: L = AES(K, 0), which is the CBC-MAC of one block of zeros.
    Util.arrayFillNonAtomic(work, SUBKEY, BLOCK, (byte) 0);
    cbcMac.sign(work, SUBKEY, BLOCK, work, SUBKEY);
    // L becomes K1.
    doubleSubkey();
  }

  /** The message's first octets, in whole blocks, with more to come. */
  void update(byte[] message, short at, short length) {
    cbcMac.update(message, at, length);
  }

  /** The message's last octets, at least one; writes 16 octets to `out`. */
  void sign(byte[] message, short at, short length, byte[] out, short outAt) {
    short last = (short) ((short) (length - 1) & (short) (BLOCK - 1));
    short whole = (short) ((short) (length - last) - 1);
    last++;
    if (whole != 0) {
      cbcMac.update(message, at, whole);
    }
    Util.arrayCopyNonAtomic(message, (short) (at + whole), work, LAST_BLOCK, last);
    if (last != BLOCK) {
      work[(short) (LAST_BLOCK + last)] = PADDING;
      Util.arrayFillNonAtomic(work, (short) ((short) (LAST_BLOCK + last) + 1), (short) ((short) (BLOCK - last) - 1),
          (byte) 0);
      // K1 becomes K2.
      doubleSubkey();
    }
    for (short i = 0; i < BLOCK; i++) {
      work[(short) (LAST_BLOCK + i)] ^= work[(short) (SUBKEY + i)];
    }
    cbcMac.sign(work, LAST_BLOCK, BLOCK, out, outAt);
  }

  /** Enciphers the 16 octets at `at` of `work` in their place; ends any message that was started. */
  void encipherBlock(AESKey key, short at) {
    cbcMac.init(key);
    cbcMac.sign(work, at, BLOCK, work, at);
  }

  /** Doubles the subkey in GF(2^128), as RFC 4493 2.3 makes K1 and K2. */
  private void doubleSubkey() {
    byte reduction = work[SUBKEY] < 0 ? RB : 0;
    short carry = 0;
    for (short i = (short) ((short) (SUBKEY + BLOCK) - 1); i >= SUBKEY; i--) {
      carry = (short) ((short) ((short) (work[i] & 0xFF) << 1) | carry);
      work[i] = (byte) carry;
      carry = (short) (carry >> 8);
    }
    work[(short) ((short) (SUBKEY + BLOCK) - 1)] ^= reduction;
  }
}
