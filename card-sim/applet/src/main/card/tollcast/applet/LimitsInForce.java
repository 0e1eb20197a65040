package tollcast.applet;

/** Where the fields of the limits in force stand (protocol 2.3). */
interface LimitsInForce {
  short RATING_LIMIT = 0;
  short PIN_POLICY = 1;
  short TRIES_LEFT = 2;
  short VERIFIED = 3;
  short SIZE = 4;
}
