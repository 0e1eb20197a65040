package tollcast.applet;

/** Where the fields of a key entry in the answer to LIST KEYS stand (protocol 4.4). */
interface KeyEntry {
  short KIND = 0;
  short PARENT_KIND = 1;
  short RESERVED = 2;
  short SERVICE = 4;
  short KEY_ID = 8;
  short FROM = 12;
  short TO = 16;
  short SIZE = 20;
}
