package tollcast.applet;

import javacard.framework.Util;

/** Charges in ticks, u64: 18,000,000 ticks are one micro-unit (protocol 7.1). */
final class Ticks {
  static final short LENGTH = 8;

  private static final short TICKS_PER_OCTET = 18;
  private static final short TICKS_PER_MILLISECOND = 5;

  private Ticks() {
  }

  /** Turns micro-units into ticks in the 8 octets at `at`. 18,000,000 = 125 x 120 x 120 x 10, each below 128. */
  static void fromMicroUnits(byte[] a, short at) {
    Unsigned.multiply(a, at, LENGTH, (short) 125);
    Unsigned.multiply(a, at, LENGTH, (short) 120);
    Unsigned.multiply(a, at, LENGTH, (short) 120);
    Unsigned.multiply(a, at, LENGTH, (short) 10);
  }

  /** Turns ticks into micro-units in the 8 octets at `at`, rounded up. */
  static void toMicroUnits(byte[] a, short at) {
    short rest = Unsigned.divide(a, at, LENGTH, (short) 125);
    rest |= Unsigned.divide(a, at, LENGTH, (short) 120);
    rest |= Unsigned.divide(a, at, LENGTH, (short) 120);
    rest |= Unsigned.divide(a, at, LENGTH, (short) 10);
    if (rest != 0) {
      Unsigned.increment(a, at, LENGTH);
    }
  }

  /**
   * Puts the ticks of one octet or millisecond into {@link Transients#RATE}. It keeps tariff and price, as they seldom
   * change.
   *
   * @param tariff OCTETS or DURATION
   * @param price u32
   */
  static void computeRate(byte[] ram, byte tariff, byte[] price, short priceAt) {
    if (ram[Transients.RATE_TARIFF] == tariff
        && Util.arrayCompare(price, priceAt, ram, Transients.RATE_PRICE, (short) 4) == 0) {
      return;
    }
    ram[Transients.RATE_TARIFF] = tariff;
    Util.arrayCopyNonAtomic(price, priceAt, ram, Transients.RATE_PRICE, (short) 4);
    Unsigned.widen(price, priceAt, (short) 4, ram, Transients.RATE);
    Unsigned.multiply(ram, Transients.RATE, LENGTH,
        tariff == Tariffs.OCTETS ? TICKS_PER_OCTET : TICKS_PER_MILLISECOND);
  }

  /** Puts units u24 times the rate into {@link Transients#CHARGE}. */
  static void computeCharge(byte[] ram, byte[] units, short unitsAt) {
    Util.arrayFillNonAtomic(ram, Transients.CHARGE, LENGTH, (byte) 0);
    Unsigned.product(units, unitsAt, (short) 3, ram, (short) (Transients.RATE + (short) (LENGTH - Tally.RATE_LENGTH)),
        Tally.RATE_LENGTH, ram, Transients.CHARGE);
  }

  /** Puts a flat price u32 into {@link Transients#CHARGE}. */
  static void computeFlatCharge(byte[] ram, byte[] price, short priceAt) {
    Unsigned.widen(price, priceAt, (short) 4, ram, Transients.CHARGE);
    fromMicroUnits(ram, Transients.CHARGE);
  }
}
