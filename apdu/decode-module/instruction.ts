import { CHANNEL_INS } from '../secure-channel/security-level.ts';

/** Class of all commands but SELECT and GET RESPONSE; `firmware-notes/protocol.md` 2. */
export const CLA_MODULE = 0x80;
/** Class of SELECT and GET RESPONSE. */
export const CLA_ISO = 0x00;

/** The commands of the decode module; `firmware-notes/protocol.md` 2. */
export const INS = {
  SELECT: 0xa4,
  GET_RESPONSE: 0xc0,
  ...CHANNEL_INS,
  SET_STATUS: 0xf0,
  STORE_DATA: 0xe2,
  OPEN_SESSION: 0x30,
  CLOSE_SESSION: 0x32,
  LOAD_KEY: 0x34,
  DELETE_KEY: 0x36,
  LIST_KEYS: 0x38,
  DECODE: 0x3a,
  GET_PURSE: 0x40,
  START_LOAD: 0x42,
  LOAD_CREDIT: 0x44,
  GET_RECEIPT: 0x46,
  ACKNOWLEDGE_RECEIPTS: 0x48,
  LEAVE: 0x4a,
  SIGN_REQUEST: 0x4c,
  GET_LOG: 0x4e,
  GENERATE_KEY_PAIR: 0x52,
  VERIFY: 0x20,
  CHANGE_PIN: 0x24,
  SET_SPEND_LIMIT: 0x2e,
  GET_DATA: 0xca,
} as const;

/** P1 of STORE DATA. */
export const STORE_MORE = 0x00;
export const STORE_LAST = 0x80;

/** P1 of DECODE for blocks of which nothing is authentic. */
export const DECODE_BLIND = 0x01;
