package tollcast.applet;

/** Where the fields of a key message's header stand (protocol 4). */
interface KeyMessageHeader {
  short KIND = 0;
  short VERSION = 1;
  short LENGTH = 2;
  short SERVICE = 4;
  short KEY_ID = 8;
  short FROM = 12;
  short TO = 16;
  short NUMBER = 20;
  short PARENT_KIND = 24;
  short FLAGS = 25;
  short RESERVED = 26;
  short PARENT_ID = 28;
  short SIZE = 32;
}
