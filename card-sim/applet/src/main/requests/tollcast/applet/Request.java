package tollcast.applet;

/** Where the fields of a request stand (protocol 4.5). */
interface Request {
  short KIND = 0;
  short VERSION = 1;
  short LENGTH = 2;
  short CARD_ID = 4;
  short SERVICE = 12;
  short FROM = 16;
  short TO = 20;
  short REQUEST_ID = 24;
  short SESSION_HASH = 32;
  short RESERVED = 52;
  short TAG = 64;
  short SIZE = 80;
}
