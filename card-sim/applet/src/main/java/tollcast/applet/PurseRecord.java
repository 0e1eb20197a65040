package tollcast.applet;

/** Where the fields of the purse record stand (protocol 7.2). */
final class PurseRecord {
  static final short LENGTH = 176;

  static final short SEQUENCE = 0;
  static final short LOADED = 4;
  static final short SPENT = 10;
  static final short TORN = 16;
  static final short LOAD_NUMBER = 22;
  static final short LOAD_ID = 26;
  static final short LOAD_AMOUNT = 34;
  static final short SESSION = 40;
  static final short SERVICE = 44;
  static final short TAKEN = 48;
  static final short USED_AT_TAKE = 54;
  /** Totals of the open session: octets u48, duration u48, groups, first segment, last segment, from, to u32. */
  static final short TOTALS = 62;
  static final short LAST_FLAT = 94;
  /** Day u16 of media time, and what was taken on it u48. */
  static final short DAY = 102;
  static final short SPENT_OF_DAY = 104;
  static final short WRITTEN = 110;
  static final short ACKNOWLEDGED = 114;
  static final short UNACKNOWLEDGED = 118;
  static final short MARKS = 124;
  static final short CREDIT_LIMIT = 156;
  static final short SPEND_LIMIT = 162;
  /** 1 when the last load set the credit limit. */
  static final short LIMIT_LOADED = 168;

  static final short TOTALS_LENGTH = 32;
  static final short MARKS_LENGTH = 32;

  static final short TOTAL_OCTETS = 0;
  static final short TOTAL_DURATION = 6;
  static final short TOTAL_GROUPS = 12;
  static final short FIRST_SEGMENT = 16;
  static final short LAST_SEGMENT = 20;
  static final short TOTAL_FROM = 24;
  static final short TOTAL_TO = 28;

  private PurseRecord() {
  }
}
