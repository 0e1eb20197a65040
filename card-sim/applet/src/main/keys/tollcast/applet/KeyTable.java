package tollcast.applet;

import javacard.framework.Util;
import javacard.security.AESKey;
import javacard.security.KeyBuilder;

/**
 * A table of keys that are stored alike. A row has an entry and two working keys (protocol 1.1). An entry starts
 * with the key entry that LIST KEYS answers (4.4). An entry of kind 0 is free.
 */
final class KeyTable {
  static final short KIND = KeyEntry.KIND;
  static final short PARENT_KIND = KeyEntry.PARENT_KIND;
  /** Place of the purchase that a segment or content key came through; LIST KEYS shows zero. */
  static final short PURCHASE = 2;
  /** Place of the key that a content key came under; LIST KEYS shows zero. */
  static final short PARENT = 3;
  /** In its place a purchase has the number of its parts less one, 0 but for seeds. */
  static final short PARTS = 3;
  static final short SERVICE = KeyEntry.SERVICE;
  static final short KEY_ID = KeyEntry.KEY_ID;
  static final short FROM = KeyEntry.FROM;
  static final short TO = KeyEntry.TO;
  /** These four together, as in a key message. */
  static final short NAME_AND_VALIDITY = SERVICE;

  /** A purchase goes on with its number, and its ceilings up to the currency, laid out as in Ceilings. */
  static final short NUMBER = 20;
  static final short CEILINGS = 24;
  static final short CEILINGS_LENGTH = Ceilings.CURRENCY;
  static final short PURCHASE_LENGTH = (short) (CEILINGS + CEILINGS_LENGTH);

  /** Behind that come the segments paid through this place, laid out by PaidSegments; they outlast the purchase. */
  static final short PAID = PURCHASE_LENGTH;
  static final short PURCHASE_ROW_LENGTH = (short) (PAID + PaidSegments.LENGTH);

  /** A content key goes on with these of its terms. */
  static final short TARIFF = 20;
  static final short PRICE = 21;
  static final short SEGMENT_ID = 25;
  static final short FIRST_SSRC = 29;
  static final short SECOND_SSRC = 33;
  static final short CONTENT_LENGTH = 37;

  /** No row, and no place. */
  static final byte NONE = -1;

  final byte[] entries;
  final byte count;
  private final short length;
  private final AESKey[] encryptionKeys;
  private final AESKey[] macKeys;

  /**
   * @param entries count x length octets, persistent or transient
   * @param keyed how many rows, from the first, have working keys
   * @param keyType of {@link KeyBuilder}, which lasts as long as the entries
   */
  KeyTable(byte[] entries, byte count, short length, byte keyed, byte keyType) {
    this.entries = entries;
    this.count = count;
    this.length = length;
    encryptionKeys = makeKeys(keyed, keyType);
    macKeys = makeKeys(keyed, keyType);
  }

  static AESKey[] makeKeys(byte count, byte type) {
    AESKey[] keys = new AESKey[count];
    for (byte i = 0; i < count; i++) {
      keys[i] = makeKey(type);
    }
    return keys;
  }

  /** @param type of {@link KeyBuilder} */
  static AESKey makeKey(byte type) {
    return (AESKey) KeyBuilder.buildKey(type, KeyBuilder.LENGTH_AES_128, false);
  }

  /** Offset of a row's entry; rows are 0..count-1. */
  short at(byte row) {
    return (short) (row * length);
  }

  boolean isUsed(byte row) {
    return entries[at(row)] != 0;
  }

  AESKey encryptionKey(byte row) {
    return encryptionKeys[row];
  }

  AESKey macKey(byte row) {
    return macKeys[row];
  }

  /** The row of the key of this kind, service u32 and id u32, each in an array of its own, or NONE. */
  byte find(byte kind, byte[] service, short serviceAt, byte[] id, short idAt) {
    short entry = 0;
    for (byte row = 0; row < count; row++) {
      if (entries[entry] == kind && isNamed(entry, service, serviceAt, id, idAt)) {
        return row;
      }
      entry = (short) (entry + length);
    }
    return NONE;
  }

  /** Whether an entry has this service u32 and id u32. */
  boolean isNamed(short entry, byte[] service, short serviceAt, byte[] id, short idAt) {
    return Util.arrayCompare(entries, (short) (entry + SERVICE), service, serviceAt, (short) 4) == 0
        && Util.arrayCompare(entries, (short) (entry + KEY_ID), id, idAt, (short) 4) == 0;
  }

  /** The first free row, or NONE. */
  byte findFree() {
    return findFree((byte) 0, count);
  }

  /** The first free row of from..end-1, or NONE. */
  byte findFree(byte from, byte end) {
    for (byte row = from; row < end; row++) {
      if (!isUsed(row)) {
        return row;
      }
    }
    return NONE;
  }

  /** Copies a field u32 of a message into the entry at `entry`. */
  void copyField(byte[] message, short at, short entry, short field) {
    Util.arrayCopyNonAtomic(message, at, entries, (short) (entry + field), (short) 4);
  }

  /** Frees a row: the entry first, so that no power cut leaves an entry without its keys. */
  void clear(byte row) {
    entries[at(row)] = 0;
    if (row < (byte) encryptionKeys.length) {
      encryptionKeys[row].clearKey();
      macKeys[row].clearKey();
    }
  }
}
