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
  /** The last two octets of the capabilities have bits 8 and 6. */
  private static final short P256_OCTET = 2;
  private static final byte P256_BIT = 1;
  private static final short MARKS_OCTET = 3;
  private static final byte MARKS_BIT = 0x40;
  /** The longest message under a public key, a private half. */
  private static final short MESSAGE_UNDER_POINT = 176;
  private static final short BLOCK = 16;
  /** What a card part has beside its span. */
  private static final short BESIDE_SPAN = (short) (CardHeader.SIZE + Mac.SHORT_LENGTH);

  /** The answer of a blank card without P-256, and without what the APDU buffer limits. */
  private static final byte[] TEMPLATE = {
      0x6F, 0x31, (byte) 0x84, 0x0A, (byte) 0xF0, 0x54, 0x4F, 0x4C, 0x4C, 0x43, 0x41, 0x53, 0x54, 0x01,
      (byte) 0xA5, 0x23, (byte) 0x80, 0x02, 0x00, 0x01,
      (byte) 0x81, 0x08, 0, 0, 0, 0, 0, 0, 0, 0,
      (byte) 0x82, 0x01, 0,
      (byte) 0x83, 0x04, 0x00, 0x00, 0x02, (byte) 0xFF,
      (byte) 0x84, 0x02, 0, 0,
      (byte) 0x85, 0x02, 0, 0,
      (byte) 0x86, 0x02, 0, 0};

  private SelectAnswer() {
  }

  /** Writes the answer to the start of `answer` and returns its length, 51. */
  static short write(Persistent persistent, byte[] answer) {
    Util.arrayCopyNonAtomic(TEMPLATE, (short) 0, answer, (short) 0, LENGTH);
    Util.arrayCopyNonAtomic(persistent.card, CardProfile.CARD_ID, answer, CARD_ID, CardId.SIZE);
    Util.arrayCopyNonAtomic(persistent.card, CardProfile.CURRENCY, answer, CURRENCY, (short) 2);
    answer[LIFE] = persistent.life;
    writeLimits(persistent, answer, CAPABILITIES, MAX_SPAN, MAX_COMMAND_DATA);
    return LENGTH;
  }

  /** Writes those fields of the module data that stand in the answer to SELECT, too. */
  static void writeModuleData(Persistent persistent, byte[] answer) {
    Util.arrayCopyNonAtomic(TEMPLATE, CAPABILITIES, answer, ModuleData.CAPABILITIES, (short) 4);
    writeLimits(persistent, answer, ModuleData.CAPABILITIES, ModuleData.MAX_SPAN, ModuleData.MAX_COMMAND_DATA);
  }

  /** Writes what follows from the length of the APDU buffer, which is `buffer`, and from the chip. */
  private static void writeLimits(Persistent persistent, byte[] buffer, short capabilities, short maxSpan,
      short maxCommandData) {
    short most = Command.maxData(buffer);
    Util.setShort(buffer, maxCommandData, most);
    Util.setShort(buffer, maxSpan, (short) ((short) (most - BESIDE_SPAN) & (short) -BLOCK));
    if (most < SeedMessage.SIZE) {
      buffer[(short) (capabilities + MARKS_OCTET)] &= ~MARKS_BIT;
    }
    if (persistent.keyPairs != null && most >= MESSAGE_UNDER_POINT) {
      buffer[(short) (capabilities + P256_OCTET)] |= P256_BIT;
    }
  }
}
