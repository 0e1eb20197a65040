package tollcast.applet;

/** Kinds and classes of protocol 1.3 that this version knows; the first octet under every MAC. */
final class Kinds {
  static final byte UNIQUE = 0x01;
  static final byte SERVICE = 0x10;
  static final byte SEGMENT = 0x11;
  static final byte CONTENT = 0x12;
  static final byte PART_SEALED = 0x20;
  static final byte PART_OPEN = 0x21;
  static final byte S1 = 0x30;
  static final byte S2 = 0x31;
  static final byte S3 = 0x32;
  static final byte RECEIPT = 0x40;
  static final byte ACKNOWLEDGEMENT = 0x41;

  /** Version of every message. */
  static final byte VERSION = 1;

  static final byte CLASS_CARD = 1;
  static final byte CLASS_SOFT = 2;

  private Kinds() {
  }
}
