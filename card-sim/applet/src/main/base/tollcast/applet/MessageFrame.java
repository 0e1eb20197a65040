package tollcast.applet;

/** Where the fields stand that every message starts with (protocol 1). */
interface MessageFrame {
  short KIND = 0;
  short VERSION = 1;
  short LENGTH = 2;
  short SIZE = 4;
}
