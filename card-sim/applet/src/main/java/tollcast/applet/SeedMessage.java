package tollcast.applet;

/** Where a seed part differs from other key messages (protocol 4.6). */
interface SeedMessage {
  short FLAGS = 25;
  short SEEDS = 32;
  short LABELS = 160;
  short CEILINGS = 192;
  short TAG = 224;

  short SEEDS_LENGTH = 128;
  short LABELS_LENGTH = 32;

  /** The flags: the part's number, and above it the number of parts less one. */
  byte PART_MASK = 0x03;
  short PARTS_SHIFT = 2;
  byte RESERVED_FLAGS = (byte) 0xF0;
}
