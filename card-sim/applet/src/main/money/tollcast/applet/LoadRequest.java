package tollcast.applet;

/** Where the fields of a load request, S1, stand (protocol 7.4). */
interface LoadRequest {
  short KIND = 0;
  short VERSION = 1;
  short LENGTH = 2;
  short CARD_ID = 4;
  short NUMBER = 12;
  short CURRENCY = 16;
  short RESERVED_1 = 18;
  short LOADED = 20;
  short SPENT = 26;
  short TORN = 32;
  short TAKEN = 38;
  short LAST_LOAD_ID = 44;
  short LAST_AMOUNT = 52;
  short RESERVED_2 = 58;
  short RECEIPTS_WRITTEN = 60;
  short TAG = 64;
  short SIZE = 80;
}
