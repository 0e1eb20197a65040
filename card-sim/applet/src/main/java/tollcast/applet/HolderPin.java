package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.OwnerPIN;

/** The holder's PIN, and what it opens (protocol 8): spend limit, sessions, content above the rating limit. */
final class HolderPin {
  static final byte TRIES = 3;
  static final byte LENGTH = 8;

  /** Bits of the policy in DGI 0002. */
  private static final byte FOR_SESSIONS = 0x01;
  private static final byte LIFTS_RATING = 0x02;
  static final byte POLICY = (byte) (FOR_SESSIONS | LIFTS_RATING);

  /** In `present`. */
  private static final byte SET = 4;

  private final Persistent persistent;
  private final OwnerPIN pin;

  HolderPin(Persistent persistent) {
    this.persistent = persistent;
    pin = persistent.pin;
  }

  /** SELECT: it has to be verified again. */
  void forget() {
    pin.reset();
  }

  /** DGI 8002: the 8 octets at `at`, with all tries. */
  void set(byte[] data, short at) {
    JCSystem.beginTransaction();
    pin.update(data, at, LENGTH);
    persistent.present = (byte) (persistent.present | SET);
    JCSystem.commitTransaction();
  }

  /** VERIFY. Throws 6A88, 6983, 63Cx. */
  void verify(byte[] data, short at) {
    if ((byte) (persistent.present & SET) == 0) {
      ISOException.throwIt(StatusWords.UNKNOWN_KEY);
    }
    if (pin.getTriesRemaining() == 0) {
      ISOException.throwIt(StatusWords.PIN_BLOCKED);
    }
    if (!pin.check(data, at, LENGTH)) {
      ISOException.throwIt((short) (StatusWords.WRONG_PIN | pin.getTriesRemaining()));
    }
  }

  /** CHANGE PIN: old and new, 8 octets each. The new one is not verified yet. */
  void change(byte[] data, short at) {
    verify(data, at);
    set(data, (short) (at + LENGTH));
  }

  /** Throws 6982 unless it is verified. */
  void require() {
    if (!pin.isValidated()) {
      ISOException.throwIt(StatusWords.SECURITY);
    }
  }

  /** The same where the policy asks for it: OPEN, requests. */
  void requireForSessions() {
    if ((byte) (persistent.limits[Persistent.PIN_POLICY] & FOR_SESSIONS) != 0) {
      require();
    }
  }

  /** Whether content of this rating, age u8, may be opened. */
  boolean allows(byte rating) {
    short limit = (short) (persistent.limits[Persistent.RATING_LIMIT] & 0xFF);
    return limit == 0 || (short) (rating & 0xFF) <= limit
        || ((byte) (persistent.limits[Persistent.PIN_POLICY] & LIFTS_RATING) != 0 && pin.isValidated());
  }
}
