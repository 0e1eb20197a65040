package tollcast.applet;

/** Status words of protocol 2.2. */
final class StatusWords {
  static final short MORE = 0x6100;
  /** With the tries left in its low half octet. */
  static final short PIN_WRONG = 0x63C0;
  static final short LENGTH = 0x6700;
  static final short SECURITY = 0x6982;
  static final short PIN_BLOCKED = 0x6983;
  static final short STATE = 0x6985;
  static final short CRYPTO = 0x6988;
  static final short FIELD = 0x6A80;
  static final short NOT_FOUND = 0x6A82;
  static final short NO_SLOT = 0x6A84;
  static final short P1P2 = 0x6A86;
  static final short NO_KEY = 0x6A88;
  static final short INS = 0x6D00;
  static final short CLA = 0x6E00;
  static final short NO_CREDIT = (short) 0x9401;
  static final short CEILING = (short) 0x9402;
  static final short SPEND_LIMIT = (short) 0x9403;
  static final short RECEIPTS_DUE = (short) 0x9404;
  static final short VALIDITY = (short) 0x9405;
  static final short OLD_GROUP = (short) 0x9406;
  static final short MAXIMUM = (short) 0x9407;
  static final short BLIND = (short) 0x9408;
  static final short RATING = (short) 0x9409;
  static final short MODULE_CLASS = (short) 0x940A;
  static final short NUMBER = (short) 0x940B;
  static final short STREAM = (short) 0x940C;
  static final short PARENT = (short) 0x940D;

  private StatusWords() {
  }
}
