package tollcast.applet;

/** Where the totals of an open session stand, in the purse record and in RAM (protocol 7.2). */
interface SessionTotals {
  short OCTETS = 0;
  short DURATION = 6;
  short GROUPS = 12;
  short FIRST_SEGMENT = 16;
  short LAST_SEGMENT = 20;
  short FROM = 24;
  short TO = 28;
  short SIZE = 32;
}
