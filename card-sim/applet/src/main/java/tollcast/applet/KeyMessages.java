package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.Util;
import javacard.security.Signature;
import javacardx.crypto.Cipher;

/** LOAD KEY: key messages of every level (protocol 4), refused and stored in the order of 4.4. */
final class KeyMessages {
  static final short SERVICE = 4;
  static final short ID = 8;
  static final short FROM = 12;
  static final short TO = 16;
  static final short NUMBER = 20;
  static final short PARENT_KIND = 24;
  static final short FLAGS = 25;
  private static final short RESERVED = 26;
  static final short PARENT_ID = 28;
  static final short WRAPPED = 32;
  private static final short BODY = 48;

  private static final short SHORTEST = 56;
  private static final short CEILINGS_BODY = 32;
  private static final short CONTENT_BODY = 48;

  /** Labels of seeds come after eight keys, ceilings after the labels. */
  static final short SEED_LABELS = 160;
  private static final short SEED_CEILINGS = 192;
  /** A private half is two blocks long. */
  private static final short PAIR_CEILINGS = 64;

  /** Of the ceilings what is kept. */
  static final short CEILINGS_LENGTH = 24;
  private static final short CURRENCY = 24;
  private static final short CEILINGS_RESERVED = 26;
  private static final short QUANTUM = 18;

  private static final short BODY_TARIFF = 48;
  private static final short BODY_RATING = 49;
  private static final short BODY_CLASSES = 50;
  private static final short BODY_SUITE = 51;
  private static final short BODY_PRICE = 52;
  private static final short BODY_SEGMENT = 56;
  static final short BODY_EPOCH = 60;
  private static final short BODY_SSRC = 64;
  private static final short BODY_LAST_RESERVED = 84;

  /** Highest balance, quantum and amount taken: 2^39 - 1. */
  private static final byte TOP_OF_AMOUNT = 0x7F;

  private final Persistent persistent;
  private final Transients transients;
  private final KeyStore keys;
  private final Parents parents;
  private final Purchases purchases;
  private final Tree tree;
  private final Uplink uplink;
  private final Mac mac;
  private final HolderPin pin;

  KeyMessages(Persistent persistent, Transients transients, KeyStore keys, Parents parents, Purchases purchases,
      Tree tree, Uplink uplink, Mac mac, HolderPin pin) {
    this.persistent = persistent;
    this.transients = transients;
    this.keys = keys;
    this.parents = parents;
    this.purchases = purchases;
    this.tree = tree;
    this.uplink = uplink;
    this.mac = mac;
    this.pin = pin;
  }

  /**
   * Takes the message of `length` octets at `at`; works in its place.
   *
   * @return the length of the answer, which is at the start of `m`
   */
  short load(byte[] m, short at, short length) {
    byte parentKind = length < SHORTEST ? 0 : m[(short) (at + PARENT_KIND)];
    byte kind = m[at];
    // 4.4 step 1
    if (length < SHORTEST
        || (parentKind == Kinds.SLOT && Kinds.isContent(kind) && length < (short) (BODY + CONTENT_BODY + Mac.SHORT))) {
      ISOException.throwIt(StatusWords.CRYPTO);
    }
    byte parent = parents.find(m, at);
    if (parent == KeyTable.NONE) {
      ISOException.throwIt(StatusWords.UNKNOWN_KEY);
    }
    // Step 2
    boolean personal = Kinds.isPersonal(parentKind);
    short tagLength = personal ? Mac.LENGTH : Mac.SHORT;
    short covered = (short) (length - tagLength);
    if (!Mac.framed(m, at, kind, length) || covered != covered(kind, parentKind)
        || !parents.agree(m, at, parentKind, parent, (short) (at + covered)) || !mac.fits(parents.macKey(parentKind, parent), m, at, covered, tagLength)) {
      ISOException.throwIt(StatusWords.CRYPTO);
    }
    // Step 3
    if (!mayCarry(parentKind, kind) || (parentKind == Kinds.NODE && !Tree.isChild(m, (short) (at + PARENT_ID),
        (short) (at + ID), transients.ram, Transients.A))) {
      ISOException.throwIt(StatusWords.WRONG_PARENT);
    }
    if (!inside(m, at, kind, personal)) {
      ISOException.throwIt(StatusWords.BAD_FIELD);
    }
    if (kind == Kinds.NODE) {
      tree.load(m, at, parentKind, parent);
    } else if (personal) {
      purchases.load(m, at, parentKind, parent);
    } else {
      loadBelow(m, at, kind, parentKind, parent);
    }
    return personal ? uplink.confirm(m, at) : 0;
  }

  /** Octets before the tag; 0 for a kind that is not in 4.1. */
  private short covered(byte kind, byte parentKind) {
    short bodied = bodied(kind, Kinds.isPersonal(parentKind));
    return Kinds.isPair(parentKind) && bodied != 0 ? (short) (bodied + KeyPairs.EPHEMERAL_LENGTH) : bodied;
  }

  /** Octets to the end of the body. */
  private short bodied(byte kind, boolean personal) {
    switch (kind) {
      case Kinds.SERVICE:
        return (short) (BODY + CEILINGS_BODY);
      case Kinds.SEGMENT:
        return personal ? (short) (BODY + CEILINGS_BODY) : BODY;
      case Kinds.CONTENT:
      case Kinds.BLIND:
        return (short) (BODY + CONTENT_BODY);
      case Kinds.SEEDS:
        return (short) (SEED_CEILINGS + CEILINGS_BODY);
      case Kinds.NODE:
        return BODY;
      case Kinds.SERVICE_PAIR:
        return persistent.keyPairs == null ? 0 : (short) (PAIR_CEILINGS + CEILINGS_BODY);
      default:
        return 0;
    }
  }

  /** The table of 4.1. */
  private static boolean mayCarry(byte parent, byte child) {
    switch (parent) {
      case Kinds.UNIQUE:
        return !Kinds.isContent(child);
      case Kinds.CARD_PAIR:
        return !Kinds.isContent(child) && child != Kinds.SEEDS;
      case Kinds.SERVICE:
      case Kinds.SERVICE_PAIR:
        return child == Kinds.SEGMENT || Kinds.isContent(child);
      case Kinds.SEGMENT:
      case Kinds.SLOT:
        return Kinds.isContent(child);
      case Kinds.NODE:
        return child == Kinds.NODE;
      default:
        return false;
    }
  }

  /** Where the ceilings of a purchase stand. */
  static short ceilings(short at, byte kind) {
    return (short) (at + (kind == Kinds.SEEDS ? SEED_CEILINGS : kind == Kinds.SERVICE_PAIR ? PAIR_CEILINGS : BODY));
  }

  /** Whether every field is within protocol 4 to 4.3, 4.6 and 4.7. */
  private boolean inside(byte[] m, short at, byte kind, boolean personal) {
    byte flags = m[(short) (at + FLAGS)];
    boolean seeds = kind == Kinds.SEEDS;
    if ((seeds ? (byte) (flags & 0xF0) != 0 || (byte) (flags & 3) > (byte) (flags >> 2) : flags != 0)
        || !Unsigned.isZero(m, (short) (at + RESERVED), (short) 2)
        || Unsigned.isZero(m, (short) (at + SERVICE), (short) 4)
        || Unsigned.compare(m, (short) (at + FROM), m, (short) (at + TO), (short) 4) >= 0) {
      return false;
    }
    if (kind == Kinds.NODE) {
      return !Unsigned.isZero(m, (short) (at + ID), (short) 4);
    }
    if (personal) {
      short ceilings = ceilings(at, kind);
      short quantum = (short) (ceilings + QUANTUM);
      return m[quantum] == 0 && m[(short) (quantum + 1)] >= 0 && m[(short) (quantum + 1)] <= TOP_OF_AMOUNT
          && !Unsigned.isZero(m, quantum, (short) 6)
          && (Unsigned.isZero(m, (short) (ceilings + CURRENCY), (short) 2)
              || Util.arrayCompare(m, (short) (ceilings + CURRENCY), persistent.card, Persistent.CURRENCY, (short) 2) == 0)
          && Unsigned.isZero(m, (short) (ceilings + CEILINGS_RESERVED), (short) (CEILINGS_BODY - CEILINGS_RESERVED))
          && (!seeds || Marks.inside(m, (short) (at + SEED_LABELS)));
    }
    if (!Unsigned.isZero(m, (short) (at + NUMBER), (short) 4)) {
      return false;
    }
    if (kind == Kinds.SEGMENT) {
      return true;
    }
    byte tariff = m[(short) (at + BODY_TARIFF)];
    return tariff >= Tariffs.FREE && tariff <= Tariffs.FLAT
        && (byte) (m[(short) (at + BODY_CLASSES)] & (byte) 0xFC) == 0 && m[(short) (at + BODY_SUITE)] == 1
        && (tariff != Tariffs.FREE || Unsigned.isZero(m, (short) (at + BODY_PRICE), (short) 4))
        && (m[(short) (at + PARENT_KIND)] == Kinds.SLOT || Unsigned.isZero(m, (short) (at + BODY_EPOCH), (short) 4))
        && Unsigned.isZero(m, (short) (at + BODY_LAST_RESERVED), (short) 12);
  }

  /** Segment and content keys, in RAM. */
  private void loadBelow(byte[] m, short at, byte kind, byte parentKind, byte parent) {
    KeyTable table = keys.table(parent);
    short parentEntry = table.at(KeyStore.slot(parent));
    // Step 5: the overlap, in place of the message's own validity.
    if (Unsigned.compare(m, (short) (at + FROM), table.entries, (short) (parentEntry + KeyTable.FROM), (short) 4) < 0) {
      Util.arrayCopyNonAtomic(table.entries, (short) (parentEntry + KeyTable.FROM), m, (short) (at + FROM), (short) 4);
    }
    Unsigned.lower(m, (short) (at + TO), table.entries, (short) (parentEntry + KeyTable.TO), (short) 4);
    if (Unsigned.compare(m, (short) (at + FROM), m, (short) (at + TO), (short) 4) >= 0) {
      ISOException.throwIt(StatusWords.OUTSIDE_VALIDITY);
    }
    byte purchase = table.entries[(short) (parentEntry + KeyTable.PURCHASE)];
    boolean content = Kinds.isContent(kind);
    // Step 6
    if (content) {
      byte tariff = m[(short) (at + BODY_TARIFF)];
      if (kind == Kinds.BLIND && tariff != Tariffs.FREE && tariff != Tariffs.FLAT) {
        ISOException.throwIt(StatusWords.BLIND_MISMATCH);
      }
      if (!accepted(m[(short) (at + BODY_CLASSES)])) {
        ISOException.throwIt(StatusWords.CLASS_REFUSED);
      }
      if (!pin.allows(m[(short) (at + BODY_RATING)])) {
        ISOException.throwIt(StatusWords.ABOVE_RATING);
      }
      if (dear(m, at, purchase)) {
        ISOException.throwIt(StatusWords.ABOVE_CEILING);
      }
    }
    // Step 7
    byte place = keys.placeFor(kind, m, (short) (at + SERVICE), (short) (at + ID));
    keys.drop(place);
    table = keys.table(place);
    byte slot = KeyStore.slot(place);
    parents.unwrapInto(m, at, parentKind, parent, table, slot);
    short entry = table.at(slot);
    table.entries[(short) (entry + KeyTable.PARENT_KIND)] = parentKind;
    table.entries[(short) (entry + KeyTable.PURCHASE)] = purchase;
    table.entries[(short) (entry + KeyTable.PARENT)] = parent;
    Util.arrayCopyNonAtomic(m, (short) (at + SERVICE), table.entries, (short) (entry + KeyTable.SERVICE), (short) 16);
    if (content) {
      table.entries[(short) (entry + KeyTable.TARIFF)] = m[(short) (at + BODY_TARIFF)];
      Util.arrayCopyNonAtomic(m, (short) (at + BODY_PRICE), table.entries, (short) (entry + KeyTable.PRICE), (short) 8);
      Util.arrayCopyNonAtomic(m, (short) (at + BODY_SSRC), table.entries, (short) (entry + KeyTable.FIRST_SSRC),
          (short) 8);
      transients.contentCipher[slot].init(table.wrapKey(slot), Cipher.MODE_DECRYPT);
      transients.contentMac[slot].init(table.macKey(slot), Signature.MODE_SIGN);
    }
    table.entries[entry] = kind;
  }

  private boolean accepted(byte classes) {
    byte own = persistent.card[Persistent.CARD_CLASS];
    byte bit = (byte) (own == Kinds.CLASS_CARD ? 1 : 2);
    return (byte) (classes & bit) != 0;
  }

  /** Whether the price is above the purchase's ceiling for the tariff. */
  private boolean dear(byte[] m, short at, byte purchase) {
    byte tariff = m[(short) (at + BODY_TARIFF)];
    if (tariff == Tariffs.FREE) {
      return false;
    }
    // The ceilings of tariffs 1, 2 and 3 stand one after the other.
    short ceiling = (short) (persistent.purchases.at(purchase) + KeyTable.CEILING_OCTETS_PRICE);
    ceiling = (short) (ceiling + (short) (4 * (short) (tariff - 1)));
    return Unsigned.compare(m, (short) (at + BODY_PRICE), persistent.purchases.entries, ceiling, (short) 4) > 0;
  }
}
