package tollcast.applet;

/** Where the fields stand before the value in STORE DATA (protocol 3). */
interface StoreDataHeader {
  short DGI = 0;
  short LENGTH = 2;
  short SIZE = 3;
}
