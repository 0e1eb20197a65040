package tollcast.runner;

/** Status words of the decode module (protocol 2.2), as tests meet them. */
interface StatusWords {
  int DONE = 0x9000;
  int MORE = 0x6100;
  int SECURITY = 0x6982;
  int NOT_NOW = 0x6985;
  int CRYPTO = 0x6988;
  int BAD_FIELD = 0x6A80;
  int NOT_FOUND = 0x6A82;
  int NO_ROOM = 0x6A84;
  int UNKNOWN_KEY = 0x6A88;
  int UNKNOWN_INSTRUCTION = 0x6D00;
  int UNKNOWN_CLASS = 0x6E00;
  int NO_CREDIT = 0x9401;
  int ABOVE_CEILING = 0x9402;
  int RECEIPTS_DUE = 0x9404;
  int OUTSIDE_VALIDITY = 0x9405;
  int OLD_GROUP = 0x9406;
  int ABOVE_MAXIMUM_BALANCE = 0x9407;
  int OLD_NUMBER = 0x940B;
  int FOREIGN_STREAM = 0x940C;
  int WRONG_PARENT = 0x940D;
}
