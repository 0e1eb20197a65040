package tollcast.applet;

import javacard.framework.Util;

/** Big-endian unsigned integers of 1 to 32 octets in arrays. Their arithmetic is in shorts, as a card has no int. */
final class Unsigned {
  private static final byte[] ZERO = {
      0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

  private Unsigned() {
  }

  /**
   * Compares a with b, of the same length of at least 1: the result is below, equal to or above 0 as a is to b.
   * Util.arrayCompare does not do here: whether it takes octets as signed is up to the card.
   */
  static short compare(byte[] a, short aAt, byte[] b, short bAt, short length) {
    short last = (short) ((short) (aAt + length) - 1);
    while (a[aAt] == b[bAt] && aAt < last) {
      aAt++;
      bAt++;
    }
    return (short) ((short) (a[aAt] & 0xFF) - (short) (b[bAt] & 0xFF));
  }

  /** Replaces a by b where b is lower. */
  static void lower(byte[] a, short aAt, byte[] b, short bAt, short length) {
    if (compare(a, aAt, b, bAt, length) > 0) {
      Util.arrayCopyNonAtomic(b, bAt, a, aAt, length);
    }
  }

  /** Whether all of at most 32 octets are 0. */
  static boolean isZero(byte[] a, short at, short length) {
    return Util.arrayCompare(a, at, ZERO, (short) 0, length) == 0;
  }

  /** Whether the u32 at `at` is below a limit of 1..127. */
  static boolean isBelow(byte[] a, short at, short limit) {
    short lowOctet = a[(short) (at + 3)];
    return isZero(a, at, (short) 3) && lowOctet >= 0 && lowOctet < limit;
  }

  /** The index of the first octet that is not 0, or the length. */
  static short findFirst(byte[] a, short at, short length) {
    short i = 0;
    while (i < length && a[(short) (at + i)] == 0) {
      i++;
    }
    return i;
  }

  /** The two octets from an index of an 8-octet register on, 0 behind its end. */
  static short readUpper(byte[] register, short at, short index) {
    short octet = (short) (at + index);
    return Util.makeShort(register[octet], index == 7 ? (byte) 0 : register[(short) (octet + 1)]);
  }

  /** a += b, modulo the size of a; b is not longer than a. */
  static void add(byte[] a, short aAt, short aLength, byte[] b, short bAt, short bLength) {
    short carry = 0;
    short i = (short) (aAt + aLength);
    short j = (short) (bAt + bLength);
    while (j > bAt) {
      i--;
      j--;
      carry = (short) ((short) ((short) (a[i] & 0xFF) + (short) (b[j] & 0xFF)) + carry);
      a[i] = (byte) carry;
      carry = (short) (carry >> 8);
    }
    if (carry != 0) {
      increment(a, aAt, (short) (i - aAt));
    }
  }

  /** a += b, modulo 2^32, of a u32 and a u24; written out because each DECODE does it. */
  static void addU24(byte[] a, short aAt, byte[] b, short bAt) {
    short sum = (short) ((short) (a[(short) (aAt + 3)] & 0xFF) + (short) (b[(short) (bAt + 2)] & 0xFF));
    a[(short) (aAt + 3)] = (byte) sum;
    sum = (short) ((short) ((short) (a[(short) (aAt + 2)] & 0xFF) + (short) (b[(short) (bAt + 1)] & 0xFF))
        + (short) (sum >> 8));
    a[(short) (aAt + 2)] = (byte) sum;
    sum = (short) ((short) ((short) (a[(short) (aAt + 1)] & 0xFF) + (short) (b[bAt] & 0xFF)) + (short) (sum >> 8));
    a[(short) (aAt + 1)] = (byte) sum;
    a[aAt] += (byte) (sum >> 8);
  }

  /** a -= b, modulo 2^32, of a u32 and a u24; written out because each DECODE does it. */
  static void subtractU24(byte[] a, short aAt, byte[] b, short bAt) {
    short difference = (short) ((short) (a[(short) (aAt + 3)] & 0xFF) - (short) (b[(short) (bAt + 2)] & 0xFF));
    a[(short) (aAt + 3)] = (byte) difference;
    difference = (short) ((short) ((short) (a[(short) (aAt + 2)] & 0xFF) - (short) (b[(short) (bAt + 1)] & 0xFF))
        + (short) (difference >> 8));
    a[(short) (aAt + 2)] = (byte) difference;
    difference = (short) ((short) ((short) (a[(short) (aAt + 1)] & 0xFF) - (short) (b[bAt] & 0xFF))
        + (short) (difference >> 8));
    a[(short) (aAt + 1)] = (byte) difference;
    a[aAt] += (byte) (difference >> 8);
  }

  /** a -= b, modulo the size of a; b is not longer than a. */
  static void subtract(byte[] a, short aAt, short aLength, byte[] b, short bAt, short bLength) {
    short borrow = 0;
    short j = (short) (bAt + bLength);
    for (short i = (short) ((short) (aAt + aLength) - 1); i >= aAt; i--) {
      j--;
      short difference = (short) ((short) (a[i] & 0xFF) - borrow);
      if (j >= bAt) {
        difference = (short) (difference - (short) (b[j] & 0xFF));
      }
      a[i] = (byte) difference;
      borrow = (short) (difference < 0 ? 1 : 0);
    }
  }

  /** a -= b, but not below 0; both of the same length. */
  static void subtractOrZero(byte[] a, short aAt, byte[] b, short bAt, short length) {
    if (compare(a, aAt, b, bAt, length) <= 0) {
      Util.arrayFillNonAtomic(a, aAt, length, (byte) 0);
    } else {
      subtract(a, aAt, length, b, bAt, length);
    }
  }

  /** a += 1, modulo the size of a. */
  static void increment(byte[] a, short at, short length) {
    for (short i = (short) ((short) (at + length) - 1); i >= at; i--) {
      a[i]++;
      if (a[i] != 0) {
        return;
      }
    }
  }

  /** Copies a to the end of an 8-octet register and puts zeros before it. */
  static void widen(byte[] a, short at, short length, byte[] wide, short wideAt) {
    short gap = (short) (8 - length);
    for (short i = 0; i < gap; i++) {
      wide[(short) (wideAt + i)] = 0;
    }
    for (short i = 0; i < length; i++) {
      wide[(short) ((short) (wideAt + gap) + i)] = a[(short) (at + i)];
    }
  }

  /** a *= factor, modulo the size of a; factor 1..127, so that an octet times it, with the carry, fits a short. */
  static void multiply(byte[] a, short at, short length, short factor) {
    short carry = 0;
    for (short i = (short) ((short) (at + length) - 1); i >= at; i--) {
      carry = (short) ((short) ((short) (a[i] & 0xFF) * factor) + carry);
      a[i] = (byte) carry;
      carry = (short) (carry >> 8);
    }
  }

  /** a /= divisor, rounded down; divisor 1..127. Returns the remainder. */
  static short divide(byte[] a, short at, short length, short divisor) {
    short remainder = 0;
    short end = (short) (at + length);
    for (short i = at; i < end; i++) {
      remainder = (short) ((short) (remainder << 8) | (short) (a[i] & 0xFF));
      a[i] = (byte) (short) (remainder / divisor);
      remainder = (short) (remainder % divisor);
    }
    return remainder;
  }

  /** product = a x b; the product has 8 octets, is zero before, and must be large enough. */
  static void product(byte[] a, short aAt, short aLength, byte[] b, short bAt, short bLength, byte[] product,
      short productAt) {
    for (short i = (short) (aLength - 1); i >= 0; i--) {
      short x = (short) (a[(short) (aAt + i)] & 0xFF);
      if (x == 0) {
        continue;
      }
      short to = (short) ((short) (productAt + (short) (8 - aLength)) + i);
      short carry = 0;
      for (short j = (short) (bLength - 1); j >= 0; j--) {
        // At most 255 x 255 + 255 + 255 = 65,535: 16 bits, whatever sign a short gives them.
        short sum = (short) ((short) (x * (short) (b[(short) (bAt + j)] & 0xFF)) + (short) (product[to] & 0xFF));
        sum = (short) (sum + carry);
        product[to] = (byte) sum;
        carry = (short) ((short) (sum >> 8) & 0xFF);
        to--;
      }
      product[to] = (byte) carry;
    }
  }
}
