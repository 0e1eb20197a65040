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
   * Puts the ticks of a group into {@link Transients#CHARGE}. Most groups of a stream cost the same, so the last charge
   * is kept with the tariff, units and price that it was computed from.
   *
   * @param tariff any but FREE
   * @param units u24 octets or milliseconds; ignored when flat
   * @param price u32
   */
  static void computeCharge(byte[] ram, byte tariff, byte[] units, short unitsAt, byte[] price, short priceAt) {
    if (ram[Transients.CHARGE_TARIFF] == tariff
        && Util.arrayCompare(units, unitsAt, ram, Transients.CHARGE_UNITS, (short) 3) == 0
        && Util.arrayCompare(price, priceAt, ram, Transients.CHARGE_PRICE, (short) 4) == 0) {
      return;
    }
    ram[Transients.CHARGE_TARIFF] = tariff;
    Util.arrayCopyNonAtomic(units, unitsAt, ram, Transients.CHARGE_UNITS, (short) 3);
    Util.arrayCopyNonAtomic(price, priceAt, ram, Transients.CHARGE_PRICE, (short) 4);
    if (tariff == Tariffs.FLAT) {
      Unsigned.widen(price, priceAt, (short) 4, ram, Transients.CHARGE);
      fromMicroUnits(ram, Transients.CHARGE);
      return;
    }
    Util.arrayFillNonAtomic(ram, Transients.CHARGE, LENGTH, (byte) 0);
    Unsigned.product(units, unitsAt, (short) 3, price, priceAt, (short) 4, ram, Transients.CHARGE);
    Unsigned.multiply(ram, Transients.CHARGE, LENGTH,
        tariff == Tariffs.OCTETS ? TICKS_PER_OCTET : TICKS_PER_MILLISECOND);
  }
}
