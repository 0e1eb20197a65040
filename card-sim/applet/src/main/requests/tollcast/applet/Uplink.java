package tollcast.applet;

import javacard.framework.Util;

/** What the card signs with its uplink key: confirms, leave records and requests (protocol 4.5). */
final class Uplink {
  /** The host gives the octets of a request from service to session hash. */
  static final short REQUEST_DATA_LENGTH = (short) (Request.RESERVED - Request.SERVICE);

  private final Persistent persistent;
  private final Mac mac;
  private final byte[] work;

  Uplink(Persistent persistent, Transients transients, Mac mac) {
    this.persistent = persistent;
    this.mac = mac;
    work = transients.work;
  }

  /** Writes the confirm of the key message at `at` to the start of its array; returns its length, 48. */
  short signConfirm(byte[] message, short at) {
    begin(Kinds.CONFIRM, Confirm.TAG);
    copyField(message, (short) (at + KeyMessage.SERVICE), Confirm.SERVICE);
    copyField(message, (short) (at + KeyMessage.KEY_ID), Confirm.KEY_ID);
    copyField(message, (short) (at + KeyMessage.NUMBER), Confirm.NUMBER);
    copyField(message, (short) (at + KeyMessage.FROM), Confirm.FROM);
    copyField(message, (short) (at + KeyMessage.TO), Confirm.TO);
    return sign(message, Confirm.TAG);
  }

  /** Writes the leave record of the purchase at `entry` to the start of `answer`; returns its length, 48. */
  short signLeaveRecord(byte[] purchases, short entry, byte[] answer) {
    begin(Kinds.LEAVE_RECORD, LeaveRecord.TAG);
    copyField(purchases, (short) (entry + KeyTable.SERVICE), LeaveRecord.SERVICE);
    copyField(purchases, (short) (entry + KeyTable.KEY_ID), LeaveRecord.KEY_ID);
    copyField(purchases, (short) (entry + KeyTable.NUMBER), LeaveRecord.NUMBER);
    copyField(purchases, (short) (entry + KeyTable.TO), LeaveRecord.TO);
    return sign(answer, LeaveRecord.TAG);
  }

  /** SIGN REQUEST: writes the request with the octets at `at` to the start of their array; returns its length, 80. */
  short signRequest(byte kind, byte[] data, short at) {
    begin(kind, Request.TAG);
    Util.arrayCopyNonAtomic(data, at, work, Request.SERVICE, REQUEST_DATA_LENGTH);
    return sign(data, Request.TAG);
  }

  /** Starts a message of `length` octets and a tag with kind, version, length and card id. */
  private void begin(byte kind, short length) {
    Util.arrayFillNonAtomic(work, (short) 0, length, (byte) 0);
    Mac.writeHeader(work, kind, (short) (length + Mac.LENGTH));
    Util.arrayCopyNonAtomic(persistent.card, CardProfile.CARD_ID, work, Confirm.CARD_ID, CardId.SIZE);
  }

  private void copyField(byte[] from, short at, short field) {
    Util.arrayCopyNonAtomic(from, at, work, field, (short) 4);
  }

  /** Signs `length` octets and copies them with their tag to the start of `answer`. */
  private short sign(byte[] answer, short length) {
    mac.sign(persistent.cardKeys[Persistent.UPLINK], work, (short) 0, length);
    return Util.arrayCopyNonAtomic(work, (short) 0, answer, (short) 0, (short) (length + Mac.LENGTH));
  }
}
