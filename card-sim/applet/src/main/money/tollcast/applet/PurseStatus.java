package tollcast.applet;

/** Where the fields of a purse status, the answer to GET PURSE, stand (protocol 7.2). */
interface PurseStatus {
  short SEQUENCE = 0;
  short LOADED = 4;
  short SPENT = 10;
  short TORN = 16;
  short MAXIMUM_BALANCE = 22;
  short CURRENCY = 28;
  short LOAD_NUMBER = 30;
  short SESSION = 34;
  short SERVICE = 38;
  short TAKEN = 42;
  short USED_TICKS = 48;
  short RECEIPTS_WRITTEN = 56;
  short RECEIPTS_ACKNOWLEDGED = 60;
  short UNACKNOWLEDGED = 64;
  short SIZE = 70;
}
