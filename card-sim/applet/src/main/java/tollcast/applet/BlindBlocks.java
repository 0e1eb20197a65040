package tollcast.applet;

/** Where the fields of a blind DECODE stand in its data (protocol 2, 6.1). */
interface BlindBlocks {
  short KEY_ID = 0;
  short SSRC = 4;
  short NUMBER = 8;
  short BLOCKS = 12;

  short MAX_BLOCKS = 15;
}
