package tollcast.applet;

import javacard.framework.Util;
import javacard.security.AESKey;
import javacard.security.KeyBuilder;

/**
 * The slots of keys that are stored alike: for each an entry, whose first 20 octets are laid out as LIST KEYS answers them
 * (protocol 4.4), and the two keys that one key makes (1.1). An entry of kind 0 is free.
 */
final class KeyTable {
  static final short KIND = 0;
  static final short PARENT_KIND = 1;
  /** Slot of the purchase that a segment or content key came through; listed as zero. */
  static final short PURCHASE = 2;
  /** Slot of the key that a content key came under; listed as zero. */
  static final short PARENT = 3;
  static final short SERVICE = 4;
  static final short ID = 8;
  static final short FROM = 12;
  static final short TO = 16;
  static final short LISTED = 20;

  /** A purchase goes on with its number and the ceilings of 4.2, without what is reserved there. */
  static final short NUMBER = 20;
  static final short CEILING_OCTETS_PRICE = 24;
  static final short CEILING_OCTETS = 36;
  static final short CEILING_DURATION = 39;
  static final short QUANTUM = 42;
  static final short PURCHASE_LENGTH = 48;

  /** A content key goes on with these of 4.3. */
  static final short TARIFF = 20;
  static final short PRICE = 21;
  static final short SEGMENT = 25;
  static final short FIRST_SSRC = 29;
  static final short SECOND_SSRC = 33;
  static final short CONTENT_LENGTH = 37;

  static final byte NONE = -1;

  final byte[] entries;
  final byte count;
  private final short length;
  private final AESKey[] wrap;
  private final AESKey[] mac;

  /**
   * @param entries count x length octets, persistent or transient
   * @param keyed so many slots from the first have keys
   * @param keyType of {@link KeyBuilder}, lasting as long as the entries
   */
  KeyTable(byte[] entries, byte count, short length, byte keyed, byte keyType) {
    this.entries = entries;
    this.count = count;
    this.length = length;
    wrap = new AESKey[keyed];
    mac = new AESKey[keyed];
    for (byte slot = 0; slot < keyed; slot++) {
      wrap[slot] = (AESKey) KeyBuilder.buildKey(keyType, KeyBuilder.LENGTH_AES_128, false);
      mac[slot] = (AESKey) KeyBuilder.buildKey(keyType, KeyBuilder.LENGTH_AES_128, false);
    }
  }

  /** Offset of a slot's entry; slot 0..count-1. */
  short at(byte slot) {
    return (short) (slot * length);
  }

  boolean used(byte slot) {
    return entries[at(slot)] != 0;
  }

  AESKey wrapKey(byte slot) {
    return wrap[slot];
  }

  AESKey macKey(byte slot) {
    return mac[slot];
  }

  /** The slot of the key of this kind, service and id, the latter u32 each and each in its array, or NONE. */
  byte find(byte kind, byte[] a, short serviceAt, byte[] b, short idAt) {
    for (byte slot = 0; slot < count; slot++) {
      short entry = at(slot);
      if (entries[entry] == kind && Util.arrayCompare(entries, (short) (entry + SERVICE), a, serviceAt, (short) 4) == 0
          && Util.arrayCompare(entries, (short) (entry + ID), b, idAt, (short) 4) == 0) {
        return slot;
      }
    }
    return NONE;
  }

  /** The first free slot, or NONE. */
  byte free() {
    return free((byte) 0, count);
  }

  /** The first free slot of from..end-1, or NONE. */
  byte free(byte from, byte end) {
    for (byte slot = from; slot < end; slot++) {
      if (!used(slot)) {
        return slot;
      }
    }
    return NONE;
  }

  /** Frees a slot: the entry first, so that no power cut leaves an entry without its keys. */
  void clear(byte slot) {
    entries[at(slot)] = 0;
    if (slot < (byte) wrap.length) {
      wrap[slot].clearKey();
      mac[slot].clearKey();
    }
  }
}
