package tollcast.applet;

/**
 * Where the fields of a load order (S2) stand. A load proof (S3), a credit limit and its proof are laid out alike
 * (protocol 7.4).
 */
interface LoadOrder {
  short KIND = 0;
  short VERSION = 1;
  short LENGTH = 2;
  short CARD_ID = 4;
  short NUMBER = 12;
  short CURRENCY = 16;
  short RESERVED_1 = 18;
  short AMOUNT = 20;
  short LOAD_ID = 26;
  short RESERVED_2 = 34;
  short TAG = 48;
  short SIZE = 64;
}
