package tollcast.applet;

import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;

/** GET DATA (protocol 2.3): what the module can do, and whose signatures its holder is to trust. */
final class ModuleData {
  /** P1 P2: the data object. */
  private static final short CAPABILITIES = 0x0100;
  private static final short VERIFICATION_KEYS = 0x0103;
  private static final short OWN_POINT = 0x0104;

  /** The answer with the capabilities goes on with the version of the applet and its free pages. */
  private static final short VERSION_AT = 8;
  private static final short FREE_PAGES_AT = 10;
  private static final short LENGTH = 12;

  private static final short APPLET_VERSION = 0x0100;
  /** A page has 2^8 octets. */
  private static final short PAGE_SHIFT = 8;

  private ModuleData() {
  }

  /** Writes the object that P1 P2 name to the start of the buffer and returns its length; throws 6A88, 6700. */
  static short write(Persistent persistent, byte[] buffer, short length) {
    short object = Util.getShort(buffer, ISO7816.OFFSET_P1);
    KeyPairs pairs = persistent.keyPairs;
    boolean point = object == OWN_POINT && pairs != null && pairs.hasOwn();
    if (object != CAPABILITIES && object != VERIFICATION_KEYS && !point) {
      ISOException.throwIt(StatusWords.UNKNOWN_KEY);
    }
    Command.requireNoData(length);
    if (object == VERIFICATION_KEYS) {
      return Util.arrayCopyNonAtomic(persistent.verificationKeys, (short) 0, buffer, (short) 0,
          (short) (Persistent.VERIFICATION_KEYS * Persistent.VERIFICATION_KEY_LENGTH));
    }
    if (point) {
      return pairs.copyPoint(buffer);
    }
    SelectAnswer.copyCapabilities(persistent, buffer);
    Util.setShort(buffer, VERSION_AT, APPLET_VERSION);
    Util.setShort(buffer, FREE_PAGES_AT,
        (short) (JCSystem.getAvailableMemory(JCSystem.MEMORY_TYPE_PERSISTENT) >> PAGE_SHIFT));
    return LENGTH;
  }
}
