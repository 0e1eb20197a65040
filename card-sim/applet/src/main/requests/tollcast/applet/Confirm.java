package tollcast.applet;

/** Where the fields of a confirm stand (protocol 4.5). */
interface Confirm {
  short KIND = 0;
  short VERSION = 1;
  short LENGTH = 2;
  short CARD_ID = 4;
  short SERVICE = 12;
  short KEY_ID = 16;
  short NUMBER = 20;
  short FROM = 24;
  short TO = 28;
  short TAG = 32;
  short SIZE = 48;
}
