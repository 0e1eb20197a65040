package tollcast.applet;

/** Where the fields of a verification key stand, as the card keeps it (protocol 2.3). */
interface VerificationKey {
  short ID = 0;
  short KEY = 4;
  short SIZE = 36;
}
