package tollcast.applet;

/** Where the fields of a card part's header stand (protocol 5.1). */
interface CardHeader {
  short KIND = 0;
  short VERSION_AND_BLOCKS = 1;
  short FLAGS_AND_PACKETS = 2;
  short OCTETS = 4;
  short DURATION = 7;
  short MEDIA_TIME = 10;
  short CONTENT_KEY_ID = 14;
  short INDEX = 18;
  short SSRC = 24;
  short GROUP = 28;
  short SIZE = 32;
}
