package tollcast.runner;

/** Values of INS of the decode module (protocol 2), as tests send them. */
interface Instructions {
  int INS_OPEN_SESSION = 0x30;
  int INS_CLOSE_SESSION = 0x32;
  int INS_LOAD_KEY = 0x34;
  int INS_DELETE_KEY = 0x36;
  int INS_LIST_KEYS = 0x38;
  int INS_DECODE = 0x3A;
  int INS_GET_PURSE = 0x40;
  int INS_START_LOAD = 0x42;
  int INS_LOAD_CREDIT = 0x44;
  int INS_GET_RECEIPT = 0x46;
  int INS_ACKNOWLEDGE_RECEIPTS = 0x48;
  int INS_INITIALIZE_UPDATE = 0x50;
  int INS_EXTERNAL_AUTHENTICATE = 0x82;
  int INS_STORE_DATA = 0xE2;
  int INS_SET_STATUS = 0xF0;
}
