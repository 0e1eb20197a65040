package tollcast.applet;

/** Where the fields of a receipt stand (protocol 7.5). */
interface Receipt {
  short KIND = 0;
  short VERSION = 1;
  short LENGTH = 2;
  short CARD_ID = 4;
  short NUMBER = 12;
  short SERVICE = 16;
  short SESSION = 20;
  short FIRST_SEGMENT = 24;
  short LAST_SEGMENT = 28;
  short OCTETS = 32;
  short DURATION = 38;
  short GROUPS = 44;
  short FROM = 48;
  short TO = 52;
  short AMOUNT = 56;
  short TORN = 62;
  short LOADED = 68;
  short SPENT = 74;
  short CURRENCY = 80;
  short REASON = 82;
  short RESERVED = 83;
  short TAG = 96;
  short SIZE = 112;
}
