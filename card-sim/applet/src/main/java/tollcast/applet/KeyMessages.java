package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;
import javacard.security.Signature;
import javacardx.crypto.Cipher;

/** LOAD KEY: key messages of every level (protocol 4), refused and stored in the order of 4.4. */
final class KeyMessages {
  private static final short SERVICE = 4;
  private static final short ID = 8;
  private static final short FROM = 12;
  private static final short TO = 16;
  private static final short NUMBER = 20;
  private static final short PARENT_KIND = 24;
  private static final short FLAGS = 25;
  private static final short PARENT_ID = 28;
  private static final short WRAPPED = 32;
  private static final short BODY = 48;

  private static final short SHORTEST = 56;
  private static final short SERVICE_BODY = 32;
  private static final short CONTENT_BODY = 48;

  private static final short CEILINGS_LENGTH = 24;
  private static final short BODY_QUANTUM = 66;
  private static final short BODY_SERVICE_RESERVED = 72;

  private static final short BODY_TARIFF = 48;
  private static final short BODY_RATING = 49;
  private static final short BODY_CLASSES = 50;
  private static final short BODY_SUITE = 51;
  private static final short BODY_PRICE = 52;
  private static final short BODY_SEGMENT = 56;
  private static final short BODY_RESERVED = 60;
  private static final short BODY_SSRC = 64;
  private static final short BODY_LAST_RESERVED = 84;

  /** Highest balance, quantum and amount taken: 2^39 - 1. */
  private static final byte TOP_OF_AMOUNT = 0x7F;

  private final Persistent persistent;
  private final Transients transients;
  private final KeyStore keys;
  private final NumberWindow window;
  private final Mac mac;
  private final KeySplit split;
  private final Cipher unwrap;
  private final byte[] work;

  KeyMessages(Persistent persistent, Transients transients, KeyStore keys, Mac mac, KeySplit split) {
    this.persistent = persistent;
    this.transients = transients;
    this.keys = keys;
    this.mac = mac;
    this.split = split;
    window = new NumberWindow(persistent, transients);
    unwrap = Cipher.getInstance(Cipher.ALG_AES_BLOCK_128_CBC_NOPAD, false);
    work = transients.work;
  }

  /** Takes the message of `length` octets at `at`; works in its place. */
  void load(byte[] m, short at, short length) {
    // 4.4 step 1
    if (length < SHORTEST) {
      ISOException.throwIt(StatusWords.CRYPTO);
    }
    byte parentKind = m[(short) (at + PARENT_KIND)];
    byte parent = keys.findParent(parentKind, m, (short) (at + SERVICE), (short) (at + PARENT_ID));
    if (parent == KeyTable.NONE) {
      ISOException.throwIt(StatusWords.NO_KEY);
    }
    // Step 2
    byte kind = m[at];
    short tagLength = parentKind == Kinds.UNIQUE ? Mac.LENGTH : Mac.SHORT;
    short covered = (short) (length - tagLength);
    if (!Mac.framed(m, at, kind, length) || covered != covered(kind)
        || !mac.fits(keys.macKey(parentKind, parent), m, at, covered, tagLength)) {
      ISOException.throwIt(StatusWords.CRYPTO);
    }
    // Step 3
    if (!mayCarry(parentKind, kind)) {
      ISOException.throwIt(StatusWords.PARENT);
    }
    if (!inside(m, at, kind)) {
      ISOException.throwIt(StatusWords.FIELD);
    }
    if (kind == Kinds.SERVICE) {
      loadService(m, at);
    } else {
      loadBelow(m, at, kind, parentKind, parent);
    }
  }

  /** Octets before the tag; 0 for a kind that is not in 4.1. */
  private static short covered(byte kind) {
    switch (kind) {
      case Kinds.SERVICE:
        return (short) (BODY + SERVICE_BODY);
      case Kinds.SEGMENT:
        return BODY;
      case Kinds.CONTENT:
        return (short) (BODY + CONTENT_BODY);
      default:
        return 0;
    }
  }

  /** The table of 4.1. */
  private static boolean mayCarry(byte parent, byte child) {
    switch (parent) {
      case Kinds.UNIQUE:
        return child == Kinds.SERVICE;
      case Kinds.SERVICE:
        return child == Kinds.SEGMENT || child == Kinds.CONTENT;
      case Kinds.SEGMENT:
        return child == Kinds.CONTENT;
      default:
        return false;
    }
  }

  /** Whether every field is within protocol 4, 4.2 and 4.3. */
  private static boolean inside(byte[] m, short at, byte kind) {
    if (!Unsigned.isZero(m, (short) (at + FLAGS), (short) 3) || Unsigned.isZero(m, (short) (at + SERVICE), (short) 4)
        || Unsigned.compare(m, (short) (at + FROM), m, (short) (at + TO), (short) 4) >= 0) {
      return false;
    }
    if (kind == Kinds.SERVICE) {
      short quantum = (short) (at + BODY_QUANTUM);
      return m[quantum] == 0 && m[(short) (quantum + 1)] >= 0 && m[(short) (quantum + 1)] <= TOP_OF_AMOUNT
          && !Unsigned.isZero(m, quantum, (short) 6)
          && Unsigned.isZero(m, (short) (at + BODY_SERVICE_RESERVED), (short) 8);
    }
    if (!Unsigned.isZero(m, (short) (at + NUMBER), (short) 4)) {
      return false;
    }
    if (kind == Kinds.SEGMENT) {
      return true;
    }
    byte tariff = m[(short) (at + BODY_TARIFF)];
    return tariff >= Ticks.FREE && tariff <= Ticks.FLAT && m[(short) (at + BODY_RATING)] == 0
        && (byte) (m[(short) (at + BODY_CLASSES)] & (byte) 0xFC) == 0 && m[(short) (at + BODY_SUITE)] == 1
        && (tariff != Ticks.FREE || Unsigned.isZero(m, (short) (at + BODY_PRICE), (short) 4))
        && Unsigned.isZero(m, (short) (at + BODY_RESERVED), (short) 4)
        && Unsigned.isZero(m, (short) (at + BODY_LAST_RESERVED), (short) 12);
  }

  private void loadService(byte[] m, short at) {
    KeyTable services = persistent.services;
    byte own = services.find(m, (short) (at + SERVICE), m, (short) (at + ID));
    // Step 4
    if (!window.open(m, (short) (at + NUMBER))) {
      if (own == KeyTable.NONE || Util.arrayCompare(services.entries, (short) (services.at(own) + KeyTable.NUMBER), m,
          (short) (at + NUMBER), (short) 4) != 0) {
        ISOException.throwIt(StatusWords.NUMBER);
      }
      return;
    }
    // Step 7. What stood in the slot goes first: after a power cut the slot is free and the number still good.
    byte slot = keys.slotFor(Kinds.SERVICE, m, (short) (at + SERVICE), (short) (at + ID));
    keys.drop(Kinds.SERVICE, slot);
    unwrapInto(m, at, Kinds.UNIQUE, (byte) 0, services, slot);
    short entry = services.at(slot);
    work[KeyTable.PARENT_KIND] = Kinds.UNIQUE;
    work[KeyTable.PURCHASE] = slot;
    work[KeyTable.PARENT] = 0;
    Util.arrayCopyNonAtomic(m, (short) (at + SERVICE), work, KeyTable.SERVICE, (short) 20);
    Util.arrayCopyNonAtomic(m, (short) (at + BODY), work, KeyTable.CEILING_OCTETS_PRICE, CEILINGS_LENGTH);
    Util.arrayCopyNonAtomic(work, KeyTable.PARENT_KIND, services.entries, (short) (entry + KeyTable.PARENT_KIND),
        (short) (KeyTable.SERVICE_LENGTH - 1));
    window.advance(m, (short) (at + NUMBER));
    JCSystem.beginTransaction();
    window.store();
    services.entries[entry] = Kinds.SERVICE;
    JCSystem.commitTransaction();
  }

  private void loadBelow(byte[] m, short at, byte kind, byte parentKind, byte parent) {
    KeyTable parents = keys.table(parentKind);
    short parentEntry = parents.at(parent);
    // Step 5: the overlap, in place of the message's own validity.
    later(m, (short) (at + FROM), parents.entries, (short) (parentEntry + KeyTable.FROM));
    earlier(m, (short) (at + TO), parents.entries, (short) (parentEntry + KeyTable.TO));
    if (Unsigned.compare(m, (short) (at + FROM), m, (short) (at + TO), (short) 4) >= 0) {
      ISOException.throwIt(StatusWords.VALIDITY);
    }
    byte purchase = parents.entries[(short) (parentEntry + KeyTable.PURCHASE)];
    // Step 6
    if (kind == Kinds.CONTENT) {
      if (!accepted(m[(short) (at + BODY_CLASSES)])) {
        ISOException.throwIt(StatusWords.MODULE_CLASS);
      }
      if (dear(m, at, purchase)) {
        ISOException.throwIt(StatusWords.CEILING);
      }
    }
    // Step 7
    byte slot = keys.slotFor(kind, m, (short) (at + SERVICE), (short) (at + ID));
    keys.drop(kind, slot);
    KeyTable table = keys.table(kind);
    unwrapInto(m, at, parentKind, parent, table, slot);
    short entry = table.at(slot);
    table.entries[(short) (entry + KeyTable.PARENT_KIND)] = parentKind;
    table.entries[(short) (entry + KeyTable.PURCHASE)] = purchase;
    table.entries[(short) (entry + KeyTable.PARENT)] = parent;
    Util.arrayCopyNonAtomic(m, (short) (at + SERVICE), table.entries, (short) (entry + KeyTable.SERVICE), (short) 16);
    if (kind == Kinds.CONTENT) {
      table.entries[(short) (entry + KeyTable.TARIFF)] = m[(short) (at + BODY_TARIFF)];
      Util.arrayCopyNonAtomic(m, (short) (at + BODY_PRICE), table.entries, (short) (entry + KeyTable.PRICE), (short) 8);
      Util.arrayCopyNonAtomic(m, (short) (at + BODY_SSRC), table.entries, (short) (entry + KeyTable.FIRST_SSRC),
          (short) 8);
      transients.contentCipher[slot].init(table.wrapKey(slot), Cipher.MODE_DECRYPT);
      transients.contentMac[slot].init(table.macKey(slot), Signature.MODE_SIGN);
    }
    table.entries[entry] = kind;
  }

  private static void later(byte[] a, short at, byte[] b, short bAt) {
    if (Unsigned.compare(a, at, b, bAt, (short) 4) < 0) {
      Util.arrayCopyNonAtomic(b, bAt, a, at, (short) 4);
    }
  }

  private static void earlier(byte[] a, short at, byte[] b, short bAt) {
    if (Unsigned.compare(a, at, b, bAt, (short) 4) > 0) {
      Util.arrayCopyNonAtomic(b, bAt, a, at, (short) 4);
    }
  }

  private boolean accepted(byte classes) {
    byte own = persistent.card[Persistent.CARD_CLASS];
    byte bit = (byte) (own == Kinds.CLASS_CARD ? 1 : 2);
    return (byte) (classes & bit) != 0;
  }

  /** Whether the price is above the purchase's ceiling for the tariff. */
  private boolean dear(byte[] m, short at, byte purchase) {
    byte tariff = m[(short) (at + BODY_TARIFF)];
    if (tariff == Ticks.FREE) {
      return false;
    }
    // The ceilings of tariffs 1, 2 and 3 stand one after the other.
    short ceiling = (short) (persistent.services.at(purchase) + KeyTable.CEILING_OCTETS_PRICE);
    ceiling = (short) (ceiling + (short) (4 * (short) (tariff - 1)));
    return Unsigned.compare(m, (short) (at + BODY_PRICE), persistent.services.entries, ceiling, (short) 4) > 0;
  }

  /** Deciphers the wrapped key and makes the two keys of the slot from it. */
  private void unwrapInto(byte[] m, short at, byte parentKind, byte parent, KeyTable table, byte slot) {
    unwrap.init(keys.wrapKey(parentKind, parent), Cipher.MODE_DECRYPT);
    unwrap.doFinal(m, (short) (at + WRAPPED), (short) 16, work, KeySplit.KEY);
    split.name(m[at], m, (short) (at + SERVICE), m, (short) (at + ID));
    split.split(table.wrapKey(slot), table.macKey(slot));
  }
}
