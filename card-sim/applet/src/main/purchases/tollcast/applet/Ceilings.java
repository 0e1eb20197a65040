package tollcast.applet;

/** Where the ceilings of a purchase stand in its body (protocol 4.2). */
interface Ceilings {
  short PER_MEGABYTE = 0;
  short PER_HOUR = 4;
  short FLAT = 8;
  short GROUP_OCTETS = 12;
  short GROUP_DURATION = 15;
  short QUANTUM = 18;
  short CURRENCY = 24;
  short RESERVED = 26;
  short SIZE = 32;
}
