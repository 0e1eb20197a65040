package tollcast.applet;

import javacard.framework.Util;

/** The answer to SELECT (protocol 2.1). */
final class SelectAnswer {
  private static final short CARD_ID = 22;
  private static final short LIFE = 32;
  private static final short CURRENCY = 49;
  private static final short CAPABILITIES = 35;
  private static final short MAX_SPAN = 41;
  private static final short MAX_COMMAND = 45;
  private static final short LENGTH = 51;
  /** Of capabilities, in the third of the four octets. */
  private static final byte P256 = 1;

  /** maxSpan 208: 13 blocks are what one short command holds; largest command data 255. */
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
    Util.arrayCopyNonAtomic(persistent.card, Persistent.CARD_ID, answer, CARD_ID, (short) 8);
    Util.arrayCopyNonAtomic(persistent.card, Persistent.CURRENCY, answer, CURRENCY, (short) 2);
    answer[LIFE] = persistent.life;
    tellPairs(persistent, answer, CAPABILITIES);
    return LENGTH;
  }

  /** Capabilities u32, maxSpan u16 and largest command u16 to the start of `answer`. */
  static void copyCapabilities(Persistent persistent, byte[] answer) {
    Util.arrayCopyNonAtomic(TEMPLATE, CAPABILITIES, answer, (short) 0, (short) 4);
    Util.arrayCopyNonAtomic(TEMPLATE, MAX_SPAN, answer, (short) 4, (short) 2);
    Util.arrayCopyNonAtomic(TEMPLATE, MAX_COMMAND, answer, (short) 6, (short) 2);
    tellPairs(persistent, answer, (short) 0);
  }

  private static void tellPairs(Persistent persistent, byte[] answer, short capabilities) {
    if (persistent.keyPairs != null) {
      answer[(short) (capabilities + 2)] |= P256;
    }
  }
}
