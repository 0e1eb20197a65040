package tollcast.applet;

import javacard.framework.Util;

/**
 * Sums of the groups that consecutive DECODEs opened under one content key, which are not in `used` and the totals yet.
 * A group that is surely covered by what was taken then costs a subtraction and an addition: no product, and none of
 * the checks that the group before passed with the same values. Any other command brings the sums in first, so that
 * nothing but these DECODEs can tell (protocol 7.3).
 */
final class Tally {
  /** Groups are counted in one octet, and sums of 127 times u24 fit u32. */
  private static final byte MAX_GROUPS = 127;
  /** Above the units of any group, and below 2^31, so that a subtraction which goes below zero shows in the sign. */
  private static final byte[] MAX_UNITS = {0x7F, -1, -1, -1};
  /** Octets of the rate that can be other than zero: a price u32 times 18. */
  static final short RATE_LENGTH = 5;

  /** Register: what was taken and is not used, u64 ticks. */
  private static final short UNUSED = Transients.REGISTER_1;
  /** Register: the units of all groups of the tally, u32. */
  private static final short UNITS = Transients.REGISTER_1;

  private final byte[] ram;

  Tally(Transients transients) {
    ram = transients.ram;
  }

  /** Whether the last command was a DECODE that opened a group under this content key. */
  boolean isOf(byte content) {
    return ram[Transients.TALLY_CONTENT] == (byte) (content + 1);
  }

  /** Place of the stream of the last group among the marks. */
  byte stream() {
    return ram[Transients.TALLY_STREAM];
  }

  /** Whether a group has the octets and the duration of the last one. */
  boolean hasSameUnits(byte[] part, short at) {
    return Util.arrayCompare(part, (short) (at + CardHeader.OCTETS), ram, Transients.TALLY_OCTETS, (short) 6) == 0;
  }

  /** Whether a group has the media time of the last one. */
  boolean hasSameTime(byte[] part, short at) {
    return Util.arrayCompare(part, (short) (at + CardHeader.MEDIA_TIME), ram, Transients.TALLY_TIME, (short) 4) == 0;
  }

  /** Adds a group; returns false, and changes nothing, when what was taken may not cover it. */
  boolean add(byte[] part, short at) {
    if (ram[Transients.TALLY_GROUPS] == MAX_GROUPS) {
      return false;
    }
    short units = (short) (at + CardHeader.OCTETS);
    short others = (short) (at + CardHeader.DURATION);
    if (ram[Transients.TALLY_TARIFF] == Tariffs.DURATION) {
      units = others;
      others = (short) (at + CardHeader.OCTETS);
    }
    Unsigned.subtractU24(ram, Transients.TALLY_LEFT, part, units);
    if (ram[Transients.TALLY_LEFT] < 0) {
      Unsigned.addU24(ram, Transients.TALLY_LEFT, part, units);
      return false;
    }
    Unsigned.addU24(ram, Transients.TALLY_OTHERS, part, others);
    ram[Transients.TALLY_GROUPS]++;
    return true;
  }

  /** Remembers what a group was that has been debited. */
  void remember(byte[] part, short at, byte stream) {
    Util.arrayCopyNonAtomic(part, (short) (at + CardHeader.OCTETS), ram, Transients.TALLY_OCTETS, (short) 10);
    ram[Transients.TALLY_STREAM] = stream;
  }

  /** Starts a tally behind a group that was debited by itself. */
  void start(byte content, byte tariff) {
    ram[Transients.TALLY_CONTENT] = (byte) (content + 1);
    ram[Transients.TALLY_TARIFF] = tariff;
    boolean metered = tariff == Tariffs.OCTETS || tariff == Tariffs.DURATION;
    if (!metered || Unsigned.isZero(ram, Transients.RATE, Ticks.LENGTH)) {
      Util.arrayCopyNonAtomic(MAX_UNITS, (short) 0, ram, Transients.TALLY_LEFT, (short) 4);
    } else {
      computeLeft();
    }
    Util.arrayCopyNonAtomic(ram, Transients.TALLY_LEFT, ram, Transients.TALLY_START, (short) 4);
  }

  /** Brings the sums into `used` and the totals; more groups may follow. */
  void settle() {
    if (ram[Transients.TALLY_GROUPS] == 0) {
      return;
    }
    Util.arrayCopyNonAtomic(ram, Transients.TALLY_START, ram, UNITS, (short) 4);
    Unsigned.subtract(ram, UNITS, (short) 4, ram, Transients.TALLY_LEFT, (short) 4);
    Util.arrayCopyNonAtomic(ram, Transients.TALLY_LEFT, ram, Transients.TALLY_START, (short) 4);
    byte tariff = ram[Transients.TALLY_TARIFF];
    boolean byDuration = tariff == Tariffs.DURATION;
    short octets = byDuration ? Transients.TALLY_OTHERS : UNITS;
    short duration = byDuration ? UNITS : Transients.TALLY_OTHERS;
    Unsigned.add(ram, (short) (Transients.TOTALS + SessionTotals.OCTETS), Amount.LENGTH, ram, octets, (short) 4);
    Unsigned.add(ram, (short) (Transients.TOTALS + SessionTotals.DURATION), Amount.LENGTH, ram, duration, (short) 4);
    Unsigned.add(ram, (short) (Transients.TOTALS + SessionTotals.GROUPS), (short) 4, ram, Transients.TALLY_GROUPS,
        (short) 1);
    if (byDuration || tariff == Tariffs.OCTETS) {
      // What is left of the units is at most u24 where a price bounds it.
      Ticks.computeCharge(ram, ram, (short) (UNITS + 1));
      Unsigned.add(ram, Transients.USED, Ticks.LENGTH, ram, Transients.CHARGE, Ticks.LENGTH);
    }
    Util.arrayFillNonAtomic(ram, Transients.TALLY_OTHERS, (short) 4, (byte) 0);
    ram[Transients.TALLY_GROUPS] = 0;
  }

  /** Brings the sums in and ends the tally: what the last group was counts no more. */
  void end() {
    settle();
    ram[Transients.TALLY_CONTENT] = 0;
  }

  /**
   * Puts into TALLY_LEFT how many units the unused ticks surely cover: at most u24, and at most what an exact division
   * by the rate would give. Dividend and divisor are cut to their upper bits, the dividend rounded down to 15 bits and
   * the divisor up to 8, so that one division of shorts does; less than a fortieth is given away.
   */
  private void computeLeft() {
    short left = Transients.TALLY_LEFT;
    Util.arrayFillNonAtomic(ram, left, (short) 4, (byte) 0);
    Util.arrayCopyNonAtomic(ram, Transients.TAKEN_TICKS, ram, UNUSED, Ticks.LENGTH);
    Unsigned.subtract(ram, UNUSED, Ticks.LENGTH, ram, Transients.USED, Ticks.LENGTH);
    short upper = Unsigned.findFirst(ram, UNUSED, Ticks.LENGTH);
    short lower = Unsigned.findFirst(ram, Transients.RATE, Ticks.LENGTH);
    if (upper == Ticks.LENGTH) {
      return;
    }
    short dividend = Unsigned.readUpper(ram, UNUSED, upper);
    short divisor = Unsigned.readUpper(ram, Transients.RATE, lower);
    // Unused >= dividend x 2^(48 - 8 upper), rate < (divisor + 1) x 2^(48 - 8 lower), each read as unsigned.
    short exponent = (short) ((short) (lower - upper) << 3);
    while (dividend >= 0) {
      dividend <<= 1;
      exponent--;
    }
    while (divisor >= 0) {
      divisor <<= 1;
      exponent++;
    }
    // 15 bits of the dividend, by 8 bits of the divisor and one: 64..254.
    short quotient = (short) ((short) ((short) (dividend >> 1) & 0x7FFF)
        / (short) ((short) ((short) (divisor >> 8) & 0xFF) + 1));
    exponent -= 7;
    if (exponent > 16) {
      Util.arrayFillNonAtomic(ram, (short) (left + 1), (short) 3, (byte) 0xFF);
    } else if (exponent >= 0) {
      short low = (short) ((short) (left + 3) - (short) (exponent >> 3));
      short units = (short) (quotient << (short) (exponent & 7));
      ram[low] = (byte) units;
      ram[(short) (low - 1)] = (byte) (units >> 8);
    } else if (exponent > -8) {
      ram[(short) (left + 3)] = (byte) (quotient >> (short) -exponent);
    }
  }
}
