package tollcast.applet;

/** Where the terms of a content key stand in its body (protocol 4.3). */
interface ContentTerms {
  short TARIFF = 0;
  short RATING = 1;
  short CLASSES = 2;
  short SUITE = 3;
  short PRICE = 4;
  short SEGMENT_ID = 8;
  short EPOCH = 12;
  short FIRST_SSRC = 16;
  short SECOND_SSRC = 20;
  short MASTER_SALT = 24;
  short RESERVED = 36;
  short LENGTH = 48;

  byte CARD_CLASS_BIT = 0x01;
  byte SOFT_CLASS_BIT = 0x02;
  byte RESERVED_CLASSES = (byte) 0xFC;
  /** The ciphers of protocol 1.1. */
  byte SUITE_1 = 1;
}
