package tollcast.applet;

/** Where the fields of a load order (S2), its proof (S3), a credit limit and its proof stand (protocol 7.4). */
interface LoadMessage {
  short KIND = 0;
  short CARD_ID = 4;
  short LOAD_NUMBER = 12;
  short CURRENCY = 16;
  short RESERVED_BEFORE_AMOUNT = 18;
  short AMOUNT = 20;
  short LOAD_ID = 26;
  short RESERVED = 34;
  short TAG = 48;
  short LENGTH = 64;
}
