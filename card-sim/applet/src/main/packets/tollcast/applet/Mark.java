package tollcast.applet;

/** Where the fields of a stream's mark stand (protocol 7.2). */
interface Mark {
  short SSRC = 0;
  short GROUP = 4;
  short SIZE = 8;
}
