package tollcast.applet;

import javacard.framework.Util;

/** Marks of the last 4 streams: SSRC u32 and the highest group opened u32, the stream first seen longest ago first. */
final class Streams {
  private static final byte COUNT = 4;
  private static final short LENGTH = 8;
  private static final short GROUP = 4;

  private final byte[] ram;

  Streams(Transients transients) {
    ram = transients.ram;
  }

  /** The place of a stream, or -1. An entry whose group is 0 is empty. */
  byte find(byte[] part, short ssrcAt) {
    for (byte i = 0; i < COUNT; i++) {
      short mark = mark(i);
      if (Util.arrayCompare(ram, mark, part, ssrcAt, (short) 4) == 0
          && !Unsigned.isZero(ram, (short) (mark + GROUP), (short) 4)) {
        return i;
      }
    }
    return -1;
  }

  /** Below, at or above 0 as a group is below, at or above the stream's mark; stream -1 has mark 0. */
  short compare(byte[] part, short groupAt, byte stream) {
    if (stream < 0) {
      return (short) (Unsigned.isZero(part, groupAt, (short) 4) ? 0 : 1);
    }
    return Unsigned.compare(part, groupAt, ram, (short) (mark(stream) + GROUP), (short) 4);
  }

  /** Whether the group at the mark was opened since the last OPEN. */
  boolean opened(byte stream) {
    return stream >= 0 && ram[(short) (Transients.OPENED + stream)] != 0;
  }

  /** OPEN, and the end of a session: no group may be asked for again. */
  void forgetOpened() {
    Util.arrayFillNonAtomic(ram, Transients.OPENED, COUNT, (byte) 0);
  }

  /** Sets the mark; a new stream (-1) goes last and pushes out the first. */
  void mark(byte stream, byte[] part, short ssrcAt, short groupAt) {
    byte place = stream;
    if (place < 0) {
      place = (byte) (COUNT - 1);
      for (byte i = 0; i < place; i++) {
        byte next = (byte) (i + 1);
        Util.arrayCopyNonAtomic(ram, mark(next), ram, mark(i), LENGTH);
        ram[(short) (Transients.OPENED + i)] = ram[(short) (Transients.OPENED + next)];
      }
      Util.arrayCopyNonAtomic(part, ssrcAt, ram, mark(place), (short) 4);
    }
    Util.arrayCopyNonAtomic(part, groupAt, ram, (short) (mark(place) + GROUP), (short) 4);
    ram[(short) (Transients.OPENED + place)] = 1;
  }

  private static short mark(byte place) {
    return (short) (Transients.MARKS + (short) (place * LENGTH));
  }
}
