package tollcast.applet;

/** Where the fields of an acknowledgement of receipts stand (protocol 7.6). */
interface Acknowledgement {
  short KIND = 0;
  short VERSION = 1;
  short LENGTH = 2;
  short CARD_ID = 4;
  short UP_TO = 12;
  short TAG = 16;
  short SIZE = 32;
}
