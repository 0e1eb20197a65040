package tollcast.applet;

/** Where the parts of a seed message stand (protocol 4.6). */
interface SeedMessage {
  short HEADER = 0;
  short SEEDS = 32;
  short LABELS = 160;
  short CEILINGS = 192;
  short TAG = 224;
  short SIZE = 240;
}
