package tollcast.applet;

import javacard.framework.Util;

/**
 * The numbers taken under the unique key and the card's own pair: the highest, and a bitmap of the 32 up to it, whose
 * bit 0 is the highest itself (protocol 4.4 step 4).
 */
final class NumberWindow {
  private static final short HIGHEST = 0;
  private static final short BITMAP = 4;
  static final short LENGTH = 8;
  private static final short WIDTH = 32;

  /** Registers: the window with more numbers taken, and the distance of two numbers, u32. */
  private static final short NEXT = Transients.REGISTER_1;
  private static final short NEXT_BITMAP = (short) (NEXT + BITMAP);
  private static final short DISTANCE = Transients.REGISTER_2;

  private final byte[] window;
  private final byte[] ram;

  NumberWindow(Persistent persistent, Transients transients) {
    window = persistent.window;
    ram = transients.ram;
  }

  /** Whether a number u32 is neither taken nor below the window. */
  boolean isOpen(byte[] message, short at) {
    if (isAhead(message, at)) {
      return true;
    }
    short behind = distance(window, HIGHEST, message, at);
    return behind < WIDTH && (byte) (window[(short) (BITMAP + octetOf(behind))] & bitOf(behind)) == 0;
  }

  /** Computes the next window, in which an open number is taken. */
  void advance(byte[] message, short at) {
    Util.arrayCopyNonAtomic(window, HIGHEST, ram, NEXT, LENGTH);
    short behind = 0;
    if (isAhead(message, at)) {
      short ahead = distance(message, at, window, HIGHEST);
      Util.arrayCopyNonAtomic(message, at, ram, NEXT, (short) 4);
      if (ahead >= WIDTH) {
        Util.arrayFillNonAtomic(ram, NEXT_BITMAP, (short) 4, (byte) 0);
      } else {
        for (short i = 0; i < ahead; i++) {
          Unsigned.multiply(ram, NEXT_BITMAP, (short) 4, (short) 2);
        }
      }
    } else {
      behind = distance(window, HIGHEST, message, at);
    }
    setTaken(behind);
  }

  /** Computes the next window, in which every number up to this one is taken. */
  void advanceAll(byte[] message, short at) {
    Util.arrayCopyNonAtomic(window, HIGHEST, ram, NEXT, LENGTH);
    short behind = 0;
    if (isAhead(message, at)) {
      Util.arrayCopyNonAtomic(message, at, ram, NEXT, (short) 4);
    } else {
      behind = distance(window, HIGHEST, message, at);
    }
    for (; behind < WIDTH; behind++) {
      setTaken(behind);
    }
  }

  /** Whether the next window differs from the stored one. */
  boolean hasMoved() {
    return Util.arrayCompare(ram, NEXT, window, HIGHEST, LENGTH) != 0;
  }

  /** Stores the next window. */
  void store() {
    Util.arrayCopy(ram, NEXT, window, HIGHEST, LENGTH);
  }

  private boolean isAhead(byte[] message, short at) {
    return Unsigned.compare(message, at, window, HIGHEST, (short) 4) > 0;
  }

  private void setTaken(short behind) {
    ram[(short) (NEXT_BITMAP + octetOf(behind))] |= bitOf(behind);
  }

  /** a - b of u32, where a is not below b; WIDTH for every distance of at least WIDTH. */
  private short distance(byte[] a, short aAt, byte[] b, short bAt) {
    Util.arrayCopyNonAtomic(a, aAt, ram, DISTANCE, (short) 4);
    Unsigned.subtract(ram, DISTANCE, (short) 4, b, bAt, (short) 4);
    return Unsigned.isBelow(ram, DISTANCE, WIDTH) ? ram[(short) (DISTANCE + 3)] : WIDTH;
  }

  /** In the bitmap, for a number so far behind the highest. */
  private static short octetOf(short behind) {
    return (short) (3 - (short) (behind >> 3));
  }

  private static byte bitOf(short behind) {
    return (byte) (1 << (short) (behind & 7));
  }
}
