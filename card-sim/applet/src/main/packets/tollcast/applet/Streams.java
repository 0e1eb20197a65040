package tollcast.applet;

import javacard.framework.Util;

/** The marks of the last 4 streams, oldest first: SSRC u32 and the highest group opened u32 (protocol 6). */
final class Streams {
  private static final byte COUNT = 4;
  static final short MARKS_LENGTH = (short) (COUNT * Mark.SIZE);
  /** In place of a stream's place: it has no mark. */
  private static final byte NONE = -1;

  private final byte[] ram;

  Streams(Transients transients) {
    ram = transients.ram;
  }

  /** The place of a stream, or -1. A mark whose group is 0 is empty. */
  byte find(byte[] part, short ssrcAt) {
    for (byte place = 0; place < COUNT; place++) {
      if (isOf(place, part, ssrcAt) && !Unsigned.isZero(ram, (short) (markAt(place) + Mark.GROUP), (short) 4)) {
        return place;
      }
    }
    return NONE;
  }

  /** Whether a mark is of the stream at `ssrcAt`. */
  boolean isOf(byte place, byte[] part, short ssrcAt) {
    return Util.arrayCompare(ram, markAt(place), part, ssrcAt, (short) 4) == 0;
  }

  /** Compares a group with the mark of a stream as Unsigned does; stream -1 has mark 0. */
  short compare(byte[] part, short groupAt, byte stream) {
    if (stream == NONE) {
      return (short) (Unsigned.isZero(part, groupAt, (short) 4) ? 0 : 1);
    }
    return Unsigned.compare(part, groupAt, ram, (short) (markAt(stream) + Mark.GROUP), (short) 4);
  }

  /** Whether the group at the mark was opened since the last OPEN. */
  boolean isOpened(byte stream) {
    return stream != NONE && ram[(short) (Transients.OPENED + stream)] != 0;
  }

  /** After OPEN and at the end of a session no group may be asked for again. */
  void forgetOpened() {
    Util.arrayFillNonAtomic(ram, Transients.OPENED, COUNT, (byte) 0);
  }

  /** Sets the mark of a stream, and returns its place; a new one (-1) goes last and pushes out the first. */
  byte mark(byte stream, byte[] part, short ssrcAt, short groupAt) {
    byte place = stream;
    if (place == NONE) {
      place = (byte) (COUNT - 1);
      for (byte i = 0; i < place; i++) {
        byte next = (byte) (i + 1);
        Util.arrayCopyNonAtomic(ram, markAt(next), ram, markAt(i), Mark.SIZE);
        ram[(short) (Transients.OPENED + i)] = ram[(short) (Transients.OPENED + next)];
      }
      Util.arrayCopyNonAtomic(part, ssrcAt, ram, markAt(place), (short) 4);
    }
    Util.arrayCopyNonAtomic(part, groupAt, ram, (short) (markAt(place) + Mark.GROUP), (short) 4);
    ram[(short) (Transients.OPENED + place)] = 1;
    return place;
  }

  private static short markAt(byte place) {
    return (short) (Transients.MARKS + (short) (place * Mark.SIZE));
  }
}
