package tollcast.applet;

/** Where the fields of a seed's label stand (protocol 4.6). */
interface SeedLabel {
  short LEVEL = 0;
  short INDEX = 1;
  short SIZE = 4;
}
