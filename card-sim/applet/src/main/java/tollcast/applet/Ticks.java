package tollcast.applet;

import javacard.framework.Util;

/** Charges in ticks, u64: 18,000,000 ticks are one micro-unit (protocol 7.1). */
final class Ticks {
  static final short LENGTH = 8;

  private Ticks() {
  }

  /** Micro-units to ticks in the 8 octets at `at`. 18,000,000 = 125 x 120 x 120 x 10, each of them below 128. */
  static void ofMicroUnits(byte[] a, short at) {
    Unsigned.multiply(a, at, LENGTH, (short) 125);
    Unsigned.multiply(a, at, LENGTH, (short) 120);
    Unsigned.multiply(a, at, LENGTH, (short) 120);
    Unsigned.multiply(a, at, LENGTH, (short) 10);
  }

  /** Ticks to micro-units in the 8 octets at `at`, rounded up. */
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
   * Puts the charge of a group into {@link Transients#CHARGE}. Groups of one stream are mostly alike, so the last
   * charge is kept with what it was made from.
   *
   * @param tariff 1..3
   * @param units u24, octets or ms; of no account when flat
   * @param price u32
   */
  static void charge(byte[] ram, byte tariff, byte[] units, short unitsAt, byte[] price, short priceAt) {
    if (ram[Transients.CHARGE_OF] == tariff
        && Util.arrayCompare(units, unitsAt, ram, Transients.CHARGE_UNITS, (short) 3) == 0
        && Util.arrayCompare(price, priceAt, ram, Transients.CHARGE_PRICE, (short) 4) == 0) {
      return;
    }
    ram[Transients.CHARGE_OF] = tariff;
    Util.arrayCopyNonAtomic(units, unitsAt, ram, Transients.CHARGE_UNITS, (short) 3);
    Util.arrayCopyNonAtomic(price, priceAt, ram, Transients.CHARGE_PRICE, (short) 4);
    if (tariff == Tariffs.FLAT) {
      Unsigned.widen(price, priceAt, (short) 4, ram, Transients.CHARGE);
      ofMicroUnits(ram, Transients.CHARGE);
      return;
    }
    Util.arrayFillNonAtomic(ram, Transients.CHARGE, LENGTH, (byte) 0);
    Unsigned.product(units, unitsAt, (short) 3, price, priceAt, (short) 4, ram, Transients.CHARGE);
    Unsigned.multiply(ram, Transients.CHARGE, LENGTH, tariff == Tariffs.OCTETS ? (short) 18 : (short) 5);
  }
}
