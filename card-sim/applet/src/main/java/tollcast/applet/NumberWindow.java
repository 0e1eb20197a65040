package tollcast.applet;

import javacard.framework.Util;

/** Numbers taken under the unique key: the highest, and a bitmap of the 32 up to it (protocol 4.4 step 4). */
final class NumberWindow {
  private static final short HIGH = 0;
  private static final short BITMAP = 4;
  private static final short LENGTH = 8;
  private static final short WIDTH = 32;

  private final byte[] window;
  private final byte[] ram;

  NumberWindow(Persistent persistent, Transients transients) {
    window = persistent.window;
    ram = transients.ram;
  }

  /** Whether a number u32 is neither taken nor below the window. */
  boolean open(byte[] m, short at) {
    if (Unsigned.compare(m, at, window, HIGH, (short) 4) > 0) {
      return true;
    }
    short behind = distance(window, HIGH, m, at);
    return behind < WIDTH && (byte) (window[octet(behind)] & bit(behind)) == 0;
  }

  /** Works out the window with an open number taken, in register A. */
  void advance(byte[] m, short at) {
    if (Unsigned.compare(m, at, window, HIGH, (short) 4) > 0) {
      short ahead = distance(m, at, window, HIGH);
      Util.arrayCopyNonAtomic(window, HIGH, ram, Transients.A, LENGTH);
      Util.arrayCopyNonAtomic(m, at, ram, Transients.A, (short) 4);
      if (ahead >= WIDTH) {
        Util.arrayFillNonAtomic(ram, (short) (Transients.A + BITMAP), (short) 4, (byte) 0);
      } else {
        for (short i = 0; i < ahead; i++) {
          Unsigned.multiply(ram, (short) (Transients.A + BITMAP), (short) 4, (short) 2);
        }
      }
      ram[(short) (Transients.A + octet((short) 0))] |= bit((short) 0);
    } else {
      short behind = distance(window, HIGH, m, at);
      Util.arrayCopyNonAtomic(window, HIGH, ram, Transients.A, LENGTH);
      ram[(short) (Transients.A + octet(behind))] |= bit(behind);
    }
  }

  /** Works out the window with every number up to this one taken, in register A. */
  void advanceAll(byte[] m, short at) {
    Util.arrayCopyNonAtomic(window, HIGH, ram, Transients.A, LENGTH);
    short behind = 0;
    if (Unsigned.compare(m, at, window, HIGH, (short) 4) > 0) {
      Util.arrayCopyNonAtomic(m, at, ram, Transients.A, (short) 4);
    } else {
      behind = distance(window, HIGH, m, at);
    }
    for (; behind < WIDTH; behind++) {
      ram[(short) (Transients.A + octet(behind))] |= bit(behind);
    }
  }

  /** Whether what was worked out differs from what is stored. */
  boolean moved() {
    return Util.arrayCompare(ram, Transients.A, window, HIGH, LENGTH) != 0;
  }

  /** Writes what {@link #advance} or {@link #advanceAll} worked out. */
  void store() {
    Util.arrayCopy(ram, Transients.A, window, HIGH, LENGTH);
  }

  /** a - b, not negative, of u32; WIDTH for everything from there on. */
  private short distance(byte[] a, short aAt, byte[] b, short bAt) {
    Util.arrayCopyNonAtomic(a, aAt, ram, Transients.B, (short) 4);
    Unsigned.subtract(ram, Transients.B, (short) 4, b, bAt, (short) 4);
    short low = ram[(short) (Transients.B + 3)];
    boolean far = low < 0 || low >= WIDTH || !Unsigned.isZero(ram, Transients.B, (short) 3);
    return far ? WIDTH : low;
  }

  private static short octet(short behind) {
    return (short) (BITMAP + 3 - (short) (behind >> 3));
  }

  private static byte bit(short behind) {
    return (byte) (1 << (short) (behind & 7));
  }
}
