package tollcast.applet;

/** Where the fields stand before the blocks of a blind DECODE (protocol 6.1). */
interface BlindHeader {
  short KEY_ID = 0;
  short SSRC = 4;
  short NUMBER = 8;
  short SIZE = 12;
}
