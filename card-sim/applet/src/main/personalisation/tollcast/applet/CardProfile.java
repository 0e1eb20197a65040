package tollcast.applet;

/** Where the fields of a card profile, DGI 0001, stand (protocol 3). */
interface CardProfile {
  short CARD_ID = 0;
  short CURRENCY = 8;
  short MAXIMUM_BALANCE = 10;
  short MAXIMUM_UNACKNOWLEDGED = 16;
  short RESERVED = 22;
  short SIZE = 24;
}
