package tollcast.applet;

/** Where the fields of DGI 0002 stand (protocol 3). The spend limit that counts is in the purse record. */
interface CardLimits {
  short SPEND_LIMIT = 0;
  short RATING_LIMIT = 6;
  short PIN_POLICY = 7;
  short RESERVED = 8;
  short SIZE = 16;
}
