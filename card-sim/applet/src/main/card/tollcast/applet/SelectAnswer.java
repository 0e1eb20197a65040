package tollcast.applet;

import javacard.framework.Util;

/** The answer to SELECT (protocol 2.1). */
final class SelectAnswer {
  private static final short CARD_ID = 22;
  private static final short LIFE = 32;
  private static final short CAPABILITIES = 35;
  private static final short MAX_SPAN = 41;
  private static final short MAX_COMMAND_DATA = 45;
  private static final short CURRENCY = 49;
  private static final short LENGTH = 51;
  /** Bit 8 of the capabilities stands in the third of their four octets. */
  private static final short P256_OCTET = 2;
  private static final byte P256_BIT = 1;

  /** The answer of a blank card without P-256. Its largest span is 208: 13 blocks fit a short command. */
  private static final byte[] TEMPLATE = {
      0x6F, 0x31, (byte) 0x84, 0x0A, (byte) 0xF0, 0x54, 0x4F, 0x4C, 0x4C, 0x43, 0x41, 0x53, 0x54, 0x01,
      (byte) 0xA5, 0x23, (byte) 0x80, 0x02, 0x00, 0x01,
      (byte) 0x81, 0x08, 0, 0, 0, 0, 0, 0, 0, 0,
      (byte) 0x82, 0x01, 0,
      (byte) 0x83, 0x04, 0x00, 0x00, 0x02, (byte) 0xFF,
      (byte) 0x84, 0x02, 0x00, (byte) 0xD0,
      (byte) 0x85, 0x02, 0x00, (byte) 0xFF,
      (byte) 0x86, 0x02, 0, 0};

  private SelectAnswer() {
  }

  /** Writes the answer to the start of `answer` and returns its length, 51. */
  static short write(Persistent persistent, byte[] answer) {
    Util.arrayCopyNonAtomic(TEMPLATE, (short) 0, answer, (short) 0, LENGTH);
    Util.arrayCopyNonAtomic(persistent.card, CardProfile.CARD_ID, answer, CARD_ID, CardId.SIZE);
    Util.arrayCopyNonAtomic(persistent.card, CardProfile.CURRENCY, answer, CURRENCY, (short) 2);
    answer[LIFE] = persistent.life;
    setP256Bit(persistent, answer, CAPABILITIES);
    return LENGTH;
  }

  /** Writes those fields of the module data that stand in the answer to SELECT, too. */
  static void copyModuleData(Persistent persistent, byte[] answer) {
    Util.arrayCopyNonAtomic(TEMPLATE, CAPABILITIES, answer, ModuleData.CAPABILITIES, (short) 4);
    Util.arrayCopyNonAtomic(TEMPLATE, MAX_SPAN, answer, ModuleData.MAX_SPAN, (short) 2);
    Util.arrayCopyNonAtomic(TEMPLATE, MAX_COMMAND_DATA, answer, ModuleData.MAX_COMMAND_DATA, (short) 2);
    setP256Bit(persistent, answer, ModuleData.CAPABILITIES);
  }

  private static void setP256Bit(Persistent persistent, byte[] answer, short capabilities) {
    if (persistent.keyPairs != null) {
      answer[(short) (capabilities + P256_OCTET)] |= P256_BIT;
    }
  }
}
