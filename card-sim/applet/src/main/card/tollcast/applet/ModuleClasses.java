package tollcast.applet;

/** The classes of a card id, and their bits in the terms of a content key (protocol 1, 4.3). */
interface ModuleClasses {
  byte CARD = 0x01;
  byte SOFT = 0x02;

  byte CARD_BIT = 0x01;
  byte SOFT_BIT = 0x02;
  byte RESERVED_BITS = (byte) 0xFC;
}
