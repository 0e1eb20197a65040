package tollcast.applet;

import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;

/** The answer to GET DATA (protocol 2.3): what the module can do, and whose signatures its holder is to trust. */
final class DataAnswer {
  private static final short APPLET_VERSION = 0x0100;
  /** A page has 2^8 octets. */
  private static final short PAGE_SHIFT = 8;

  private DataAnswer() {
  }

  /** The object that P1 P2 name; throws 6A88, 6700. */
  static short requireObject(Persistent persistent, byte[] buffer, short length) {
    short object = Util.getShort(buffer, ISO7816.OFFSET_P1);
    KeyPairs pairs = persistent.keyPairs;
    boolean hasPoint = object == DataObjects.PUBLIC_KEY && pairs != null && pairs.hasOwn();
    if (object != DataObjects.MODULE && object != DataObjects.LIMITS && object != DataObjects.VERIFICATION_KEYS
        && !hasPoint) {
      ISOException.throwIt(StatusWords.UNKNOWN_KEY);
    }
    Command.requireNoData(length);
    return object;
  }

  /** Writes the point, the limits or the module data to the start of the buffer and returns its length. */
  static short write(Persistent persistent, HolderPin pin, byte[] buffer, short object) {
    if (object == DataObjects.LIMITS) {
      return pin.writeLimits(buffer);
    }
    if (object == DataObjects.PUBLIC_KEY) {
      return persistent.keyPairs.copyPoint(buffer);
    }
    SelectAnswer.writeModuleData(persistent, buffer);
    Util.setShort(buffer, ModuleData.APPLET_VERSION, APPLET_VERSION);
    Util.setShort(buffer, ModuleData.FREE_PAGES,
        (short) (JCSystem.getAvailableMemory(JCSystem.MEMORY_TYPE_PERSISTENT) >> PAGE_SHIFT));
    return ModuleData.SIZE;
  }
}
