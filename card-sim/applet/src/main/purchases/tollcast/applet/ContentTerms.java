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
  short SIZE = 48;
}
