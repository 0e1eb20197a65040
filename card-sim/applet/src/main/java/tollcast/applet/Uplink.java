package tollcast.applet;

import javacard.framework.Util;

/** What the card signs with its uplink key: confirm, leave record, requests (protocol 4.5). */
final class Uplink {
  /** Octets of a request that the host gives. */
  static final short REQUEST_DATA = 40;

  private static final short RECORD_LENGTH = 48;
  private static final short REQUEST_LENGTH = 80;

  private static final short CARD_ID = 4;
  private static final short NAME = 12;
  private static final short NUMBER = 20;
  private static final short TIMES = 24;

  private final Persistent persistent;
  private final Mac mac;
  private final byte[] work;

  Uplink(Persistent persistent, Transients transients, Mac mac) {
    this.persistent = persistent;
    this.mac = mac;
    work = transients.work;
  }

  /** The confirm of the key message at `at`, to the start of its array; returns its length, 48. */
  short confirm(byte[] m, short at) {
    begin(Kinds.CONFIRM, RECORD_LENGTH);
    Util.arrayCopyNonAtomic(m, (short) (at + KeyMessages.SERVICE), work, NAME, (short) 8);
    Util.arrayCopyNonAtomic(m, (short) (at + KeyMessages.NUMBER), work, NUMBER, (short) 4);
    Util.arrayCopyNonAtomic(m, (short) (at + KeyMessages.FROM), work, TIMES, (short) 8);
    return end(m, RECORD_LENGTH);
  }

  /** The leave record of a purchase, to the start of `answer`; returns its length, 48. */
  short leaveRecord(byte[] purchases, short entry, byte[] answer) {
    begin(Kinds.LEAVE_RECORD, RECORD_LENGTH);
    Util.arrayCopyNonAtomic(purchases, (short) (entry + KeyTable.SERVICE), work, NAME, (short) 8);
    Util.arrayCopyNonAtomic(purchases, (short) (entry + KeyTable.NUMBER), work, NUMBER, (short) 4);
    Util.arrayCopyNonAtomic(purchases, (short) (entry + KeyTable.TO), work, TIMES, (short) 4);
    return end(answer, RECORD_LENGTH);
  }

  /** SIGN REQUEST: the 40 octets at `at` as a request, to the start of their array; returns its length, 80. */
  short request(byte kind, byte[] data, short at) {
    begin(kind, REQUEST_LENGTH);
    Util.arrayCopyNonAtomic(data, at, work, NAME, REQUEST_DATA);
    return end(data, REQUEST_LENGTH);
  }

  private void begin(byte kind, short length) {
    Util.arrayFillNonAtomic(work, (short) 0, length, (byte) 0);
    work[0] = kind;
    work[1] = Kinds.VERSION;
    work[3] = (byte) length;
    Util.arrayCopyNonAtomic(persistent.card, Persistent.CARD_ID, work, CARD_ID, (short) 8);
  }

  private short end(byte[] answer, short length) {
    mac.sign(persistent.cardKeys[Persistent.UPLINK], work, (short) 0, (short) (length - Mac.LENGTH));
    return Util.arrayCopyNonAtomic(work, (short) 0, answer, (short) 0, length);
  }
}
