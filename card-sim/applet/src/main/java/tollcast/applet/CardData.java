package tollcast.applet;

/** Where the fields of DGI 0001 stand (protocol 3). */
interface CardData {
  short CARD_ID = 0;
  /** The two parts of the card id that are looked at by themselves (protocol 1). */
  short CLASS = 3;
  short SERIAL = 4;
  short CURRENCY = 8;
  short MAXIMUM_BALANCE = 10;
  short MAXIMUM_UNACKNOWLEDGED_AMOUNT = 16;
  short RESERVED = 22;
  short LENGTH = 24;

  short CARD_ID_LENGTH = 8;
  byte CLASS_CARD = 1;
  byte CLASS_SOFT = 2;
}
