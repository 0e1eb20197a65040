package tollcast.applet;

import javacard.framework.ISO7816;
import javacard.framework.ISOException;

/** The life of a card (protocol 2): its states, which commands need which, and SET STATUS. */
final class Life {
  /** The states rise, so a range of them has a lowest and a highest. */
  static final byte BLANK = 0x00;
  static final byte PERSONALISED = 0x01;
  static final byte ACTIVE = 0x03;
  static final byte BLOCKED = 0x07;
  static final byte TERMINATED = 0x0F;

  /** P1 of SET STATUS for an application. */
  private static final byte P1_APPLICATION = 0x40;

  private final Persistent persistent;
  private final Purse purse;

  Life(Persistent persistent, Purse purse) {
    this.persistent = persistent;
    this.purse = purse;
  }

  /** Requires an active card; throws 6985. */
  void requireActive() {
    requireWithin(ACTIVE, ACTIVE);
  }

  /** Requires a state from lowest to highest; throws 6985. */
  void requireWithin(byte lowest, byte highest) {
    byte state = persistent.life;
    if (state < lowest || state > highest) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
  }

  /** Requires a card whose purse may be read: active, blocked, or terminated after it got a purse; throws 6985. */
  void requirePurse() {
    requireWithin(ACTIVE, purse.exists() ? TERMINATED : BLOCKED);
  }

  /** SET STATUS. Naming the present state is no change and writes nothing. */
  void setStatus(byte[] buffer, short length) {
    byte state = buffer[ISO7816.OFFSET_P2];
    boolean canBeSet = state == ACTIVE || state == BLOCKED || state == TERMINATED;
    if (buffer[ISO7816.OFFSET_P1] != P1_APPLICATION || !canBeSet) {
      ISOException.throwIt(StatusWords.WRONG_PARAMETERS);
    }
    Command.requireNoData(length);
    if (state == persistent.life) {
      return;
    }
    if (!canBecome(state)) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
    persistent.life = state;
  }

  /** Whether SET STATUS may change the present state to this other one. */
  private boolean canBecome(byte state) {
    byte present = persistent.life;
    switch (state) {
      case ACTIVE:
        return present == PERSONALISED || present == BLOCKED;
      case BLOCKED:
        return present == ACTIVE;
      default:
        return present != TERMINATED;
    }
  }
}
