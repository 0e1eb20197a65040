package tollcast.applet;

/** Where the fields of a verification key stand in DGI 0003 (protocol 3). */
interface VerificationKeyValue {
  short PLACE = 0;
  short ID = 1;
  short KEY = 5;
  short SIZE = 37;
}
