package tollcast.applet;

/** Where the fields of a card id stand (protocol 1). */
interface CardId {
  short ISSUER = 0;
  short MODULE_CLASS = 3;
  short SERIAL = 4;
  short SIZE = 8;
}
