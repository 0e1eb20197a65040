package tollcast.applet;

/** Where the fields of the purse record stand (protocol 7.2). */
interface PurseRecord {
  short SEQUENCE = 0;
  short LOADED = 4;
  short SPENT = 10;
  short TORN = 16;
  short LOAD_NUMBER = 22;
  short LOAD_ID = 26;
  short LOAD_AMOUNT = 34;
  short SESSION = 40;
  short SERVICE = 44;
  short TAKEN = 48;
  short USED_AT_TAKE = 54;
  /** Laid out as in SessionTotals. */
  short OPEN_TOTALS = 62;
  short LAST_FLAT_SERVICE = 94;
  short LAST_FLAT_SEGMENT = 98;
  short DAY = 102;
  short SPENT_OF_DAY = 104;
  short RECEIPTS_WRITTEN = 110;
  short RECEIPTS_ACKNOWLEDGED = 114;
  short UNACKNOWLEDGED = 118;
  /** Laid out as in Mark, oldest first. */
  short MARKS = 124;
  short CREDIT_LIMIT = 156;
  short SPEND_LIMIT = 162;
  /** 1 when the last load set the credit limit. */
  short LIMIT_LOADED = 168;
  short RESERVED = 169;
  short SIZE = 176;
}
