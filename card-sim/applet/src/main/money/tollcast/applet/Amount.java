package tollcast.applet;

/** An amount of money: u48 micro-units. */
final class Amount {
  static final short LENGTH = 6;
  /** Where an amount stands in an 8-octet register whose first octets are zero. */
  static final short IN_REGISTER = 2;

  /** 2^39 - 1: a balance, a quantum and what a session takes go no higher (protocol 3, 4.2, 7.3). */
  static final byte[] MAX = {0, 0x7F, -1, -1, -1, -1};

  private Amount() {
  }

  /** Whether the amount at `at` is at most {@link #MAX}. */
  static boolean isWithinMax(byte[] a, short at) {
    return Unsigned.compare(a, at, MAX, (short) 0, LENGTH) <= 0;
  }
}
