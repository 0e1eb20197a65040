package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.OwnerPIN;

/** The holder's PIN, and what it is needed for: spend limit, sessions, content above the rating limit (protocol 8). */
final class HolderPin {
  static final byte TRIES = 3;
  static final byte LENGTH = 8;
  /** Stands for the tries left where no PIN was set. */
  private static final byte NO_PIN = (byte) 0xFF;

  /** Bits of the PIN policy in DGI 0002. */
  private static final byte NEEDED_FOR_SESSIONS = 0x01;
  private static final byte LIFTS_RATING = 0x02;
  static final byte RESERVED_POLICY = (byte) ~(NEEDED_FOR_SESSIONS | LIFTS_RATING);

  private final Persistent persistent;
  private final OwnerPIN pin;

  HolderPin(Persistent persistent) {
    this.persistent = persistent;
    pin = persistent.pin;
  }

  /** After SELECT the PIN has to be verified again. */
  void forgetVerified() {
    pin.reset();
  }

  /** Sets the PIN to the 8 octets at `at`, with all tries; it is not verified. */
  void set(byte[] data, short at) {
    JCSystem.beginTransaction();
    pin.update(data, at, LENGTH);
    persistent.present = (byte) (persistent.present | Persistent.HAS_PIN);
    JCSystem.commitTransaction();
  }

  /** VERIFY; throws 6A88, 6983, 63Cx. */
  void verify(byte[] data, short at) {
    if ((byte) (persistent.present & Persistent.HAS_PIN) == 0) {
      ISOException.throwIt(StatusWords.UNKNOWN_KEY);
    }
    if (pin.getTriesRemaining() == 0) {
      ISOException.throwIt(StatusWords.PIN_BLOCKED);
    }
    if (!pin.check(data, at, LENGTH)) {
      ISOException.throwIt((short) (StatusWords.WRONG_PIN | pin.getTriesRemaining()));
    }
  }

  /** CHANGE PIN: the old and the new PIN, 8 octets each; throws what VERIFY throws. */
  void change(byte[] data, short at) {
    verify(data, at);
    set(data, (short) (at + LENGTH));
  }

  /** Requires a verified PIN; throws 6982. */
  void requireVerified() {
    if (!pin.isValidated()) {
      ISOException.throwIt(StatusWords.SECURITY);
    }
  }

  /** Requires a verified PIN for OPEN and requests where the policy asks for it; throws 6982. */
  void requireForSessions() {
    if ((byte) (persistent.limits[CardLimits.PIN_POLICY] & NEEDED_FOR_SESSIONS) != 0) {
      requireVerified();
    }
  }

  /** Writes the limits in force to the start of the buffer and returns their length. */
  short writeLimits(byte[] buffer) {
    boolean isSet = (byte) (persistent.present & Persistent.HAS_PIN) != 0;
    buffer[LimitsInForce.RATING_LIMIT] = persistent.limits[CardLimits.RATING_LIMIT];
    buffer[LimitsInForce.PIN_POLICY] = persistent.limits[CardLimits.PIN_POLICY];
    buffer[LimitsInForce.TRIES_LEFT] = isSet ? pin.getTriesRemaining() : NO_PIN;
    buffer[LimitsInForce.VERIFIED] = pin.isValidated() ? (byte) 1 : (byte) 0;
    return LimitsInForce.SIZE;
  }

  /** Whether content of this rating, an age u8, may be opened. */
  boolean allowsRating(byte rating) {
    short limit = (short) (persistent.limits[CardLimits.RATING_LIMIT] & 0xFF);
    return limit == 0 || (short) (rating & 0xFF) <= limit
        || ((byte) (persistent.limits[CardLimits.PIN_POLICY] & LIFTS_RATING) != 0 && pin.isValidated());
  }
}
