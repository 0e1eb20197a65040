package tollcast.applet;

/** The values of INS (protocol 2). */
interface Instructions {
  byte INS_VERIFY = 0x20;
  byte INS_CHANGE_PIN = 0x24;
  byte INS_SET_SPEND_LIMIT = 0x2E;
  byte INS_OPEN_SESSION = 0x30;
  byte INS_CLOSE_SESSION = 0x32;
  byte INS_LOAD_KEY = 0x34;
  byte INS_DELETE_KEY = 0x36;
  byte INS_LIST_KEYS = 0x38;
  byte INS_DECODE = 0x3A;
  byte INS_GET_PURSE = 0x40;
  byte INS_START_LOAD = 0x42;
  byte INS_LOAD_CREDIT = 0x44;
  byte INS_GET_RECEIPT = 0x46;
  byte INS_ACKNOWLEDGE_RECEIPTS = 0x48;
  byte INS_LEAVE = 0x4A;
  byte INS_SIGN_REQUEST = 0x4C;
  byte INS_GET_LOG = 0x4E;
  byte INS_INITIALIZE_UPDATE = 0x50;
  byte INS_GENERATE_KEY_PAIR = 0x52;
  byte INS_EXTERNAL_AUTHENTICATE = (byte) 0x82;
  byte INS_SELECT = (byte) 0xA4;
  byte INS_GET_RESPONSE = (byte) 0xC0;
  byte INS_GET_DATA = (byte) 0xCA;
  byte INS_PUT_KEY = (byte) 0xD8;
  byte INS_STORE_DATA = (byte) 0xE2;
  byte INS_SET_STATUS = (byte) 0xF0;
}
