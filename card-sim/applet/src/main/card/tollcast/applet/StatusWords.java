package tollcast.applet;

/** Status words (protocol 2.2). */
interface StatusWords {
  short DONE = (short) 0x9000;
  /** The low octet says how many octets of the list are left; 0 means 256 or more. */
  short MORE = 0x6100;
  /** The low half octet says how many tries of the PIN are left. */
  short WRONG_PIN = 0x63C0;
  short WRONG_CRYPTOGRAM = 0x6300;
  short WRONG_LENGTH = 0x6700;
  short SECURITY = 0x6982;
  short PIN_BLOCKED = 0x6983;
  short NOT_NOW = 0x6985;
  /** The platform answers this one; the module is not running then. */
  short NOT_SELECTED = 0x6986;
  short CRYPTO = 0x6988;
  short BAD_FIELD = 0x6A80;
  short NOT_FOUND = 0x6A82;
  short NO_ROOM = 0x6A84;
  short WRONG_PARAMETERS = 0x6A86;
  short UNKNOWN_KEY = 0x6A88;
  short UNKNOWN_INSTRUCTION = 0x6D00;
  short UNKNOWN_CLASS = 0x6E00;
  short NO_CREDIT = (short) 0x9401;
  short ABOVE_CEILING = (short) 0x9402;
  short SPEND_LIMIT = (short) 0x9403;
  short RECEIPTS_DUE = (short) 0x9404;
  short OUTSIDE_VALIDITY = (short) 0x9405;
  short OLD_GROUP = (short) 0x9406;
  short ABOVE_MAXIMUM_BALANCE = (short) 0x9407;
  short BLIND_MISMATCH = (short) 0x9408;
  short ABOVE_RATING = (short) 0x9409;
  short CLASS_REFUSED = (short) 0x940A;
  short OLD_NUMBER = (short) 0x940B;
  short FOREIGN_STREAM = (short) 0x940C;
  short WRONG_PARENT = (short) 0x940D;
}
