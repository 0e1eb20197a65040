package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.Util;

/** LOAD KEY: refuses and stores key messages of every level, in the order of protocol 4.4. */
final class KeyLoader {
  /** The shortest message: no body and a short tag. */
  private static final short MIN_LENGTH = 56;
  /** The suite of the ciphers in protocol 1.1. */
  private static final byte SUITE_1 = 1;

  private final Persistent persistent;
  private final Transients transients;
  private final KeyStore keys;
  private final Parents parents;
  private final Purchases purchases;
  private final Tree tree;
  private final Uplink uplink;
  private final WorkingKeys workingKeys;
  private final Mac mac;
  private final HolderPin pin;

  KeyLoader(Persistent persistent, Transients transients, KeyStore keys, Parents parents, Purchases purchases,
      Tree tree, Uplink uplink, WorkingKeys workingKeys, Mac mac, HolderPin pin) {
    this.persistent = persistent;
    this.transients = transients;
    this.keys = keys;
    this.parents = parents;
    this.purchases = purchases;
    this.tree = tree;
    this.uplink = uplink;
    this.workingKeys = workingKeys;
    this.mac = mac;
    this.pin = pin;
  }

  /**
   * Takes the message of `length` octets at `at`, and changes it in its place.
   *
   * @return length of the answer, which is at the start of `message`
   */
  short load(byte[] message, short at, short length) {
    // Step 1
    byte kind = message[at];
    byte parentKind = message[(short) (at + KeyMessage.PARENT_KIND)];
    if (length < MIN_LENGTH || (parentKind == Kinds.SLOT && Kinds.isContent(kind)
        && length < (short) (KeyMessage.BODY + (short) (ContentTerms.SIZE + Mac.SHORT_LENGTH)))) {
      ISOException.throwIt(StatusWords.CRYPTO);
    }
    byte parent = parents.find(message, at);
    if (parent == KeyTable.NONE) {
      ISOException.throwIt(StatusWords.UNKNOWN_KEY);
    }
    // Step 2
    if (!isAuthentic(message, at, length, parentKind, parent)) {
      ISOException.throwIt(StatusWords.CRYPTO);
    }
    // Step 3
    if (!mayCarry(parentKind, kind) || (parentKind == Kinds.NODE && !Tree.isChild(message,
        (short) (at + KeyMessage.PARENT_ID), (short) (at + KeyMessage.KEY_ID), transients.ram,
        Transients.REGISTER_1))) {
      ISOException.throwIt(StatusWords.WRONG_PARENT);
    }
    boolean personal = Kinds.isPersonal(parentKind);
    if (!hasValidFields(message, at, kind, personal)) {
      ISOException.throwIt(StatusWords.BAD_FIELD);
    }
    if (kind == Kinds.NODE) {
      tree.load(message, at, parentKind, parent);
    } else if (personal) {
      purchases.load(message, at, parentKind, parent);
    } else {
      loadIntoRam(message, at, parentKind, parent);
    }
    return personal ? uplink.signConfirm(message, at) : 0;
  }

  /** Step 2: header and length are those of a kind that is known, and the tag is right. */
  private boolean isAuthentic(byte[] message, short at, short length, byte parentKind, byte parent) {
    byte kind = message[at];
    short tagLength = Kinds.isPersonal(parentKind) ? Mac.LENGTH : Mac.SHORT_LENGTH;
    short macInputLength = (short) (length - tagLength);
    return Mac.hasHeader(message, at, kind, length) && macInputLength == macInputLengthOf(kind, parentKind)
        && parents.agree(message, at, parentKind, parent, (short) (at + macInputLength))
        && mac.isTagRight(parents.macKey(parentKind, parent), message, at, macInputLength, tagLength);
  }

  /** Octets before the tag; 0 for a kind that is not in 4.1. */
  private short macInputLengthOf(byte kind, byte parentKind) {
    short end = bodyEnd(kind, Kinds.isPersonal(parentKind));
    return Kinds.isPair(parentKind) && end != 0 ? (short) (end + KeyMessage.EPHEMERAL_POINT_LENGTH) : end;
  }

  /** Octets up to the end of the body; 0 for a kind that is not in 4.1. */
  private short bodyEnd(byte kind, boolean personal) {
    switch (kind) {
      case Kinds.SERVICE:
        return (short) (KeyMessage.BODY + Ceilings.SIZE);
      case Kinds.SEGMENT:
        return personal ? (short) (KeyMessage.BODY + Ceilings.SIZE) : KeyMessage.BODY;
      case Kinds.CONTENT:
      case Kinds.BLIND:
        return (short) (KeyMessage.BODY + ContentTerms.SIZE);
      case Kinds.SEEDS:
        return SeedMessage.TAG;
      case Kinds.NODE:
        return KeyMessage.BODY;
      case Kinds.SERVICE_PAIR:
        return persistent.keyPairs == null ? 0 : (short) (KeyMessage.PRIVATE_HALF_BODY + Ceilings.SIZE);
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

  /** Step 3: whether every field is within protocol 4 to 4.3, 4.6 and 4.7. */
  private boolean hasValidFields(byte[] message, short at, byte kind, boolean personal) {
    byte flags = message[(short) (at + KeyMessage.FLAGS)];
    boolean flagsValid = kind == Kinds.SEEDS ? Marks.areFlagsValid(flags) : flags == 0;
    if (!flagsValid || !Unsigned.isZero(message, (short) (at + KeyMessage.RESERVED), (short) 2)
        || Unsigned.isZero(message, (short) (at + KeyMessage.SERVICE), (short) 4)
        || Unsigned.compare(message, (short) (at + KeyMessage.FROM), message, (short) (at + KeyMessage.TO),
            (short) 4) >= 0) {
      return false;
    }
    if (kind == Kinds.NODE) {
      return !Unsigned.isZero(message, (short) (at + KeyMessage.KEY_ID), (short) 4);
    }
    if (personal) {
      return hasValidCeilings(message, Purchases.ceilingsAt(at, kind))
          && (kind != Kinds.SEEDS || Marks.areLabelsValid(message, (short) (at + SeedMessage.LABELS)));
    }
    return Unsigned.isZero(message, (short) (at + KeyMessage.NUMBER), (short) 4)
        && (kind == Kinds.SEGMENT || hasValidTerms(message, at));
  }

  /** Quantum and currency as 4.2 has them, and nothing reserved in use. */
  private boolean hasValidCeilings(byte[] message, short ceilings) {
    short quantum = (short) (ceilings + Ceilings.QUANTUM);
    short currency = (short) (ceilings + Ceilings.CURRENCY);
    return Amount.isWithinMax(message, quantum) && !Unsigned.isZero(message, quantum, Amount.LENGTH)
        && (Unsigned.isZero(message, currency, (short) 2)
            || Util.arrayCompare(message, currency, persistent.card, CardProfile.CURRENCY, (short) 2) == 0)
        && Unsigned.isZero(message, (short) (ceilings + Ceilings.RESERVED),
            (short) (Ceilings.SIZE - Ceilings.RESERVED));
  }

  /** The terms of a content key as 4.3 has them. */
  private static boolean hasValidTerms(byte[] message, short at) {
    short terms = (short) (at + KeyMessage.BODY);
    byte tariff = message[(short) (terms + ContentTerms.TARIFF)];
    byte classes = message[(short) (terms + ContentTerms.CLASSES)];
    return tariff >= Tariffs.FREE && tariff <= Tariffs.FLAT
        && (byte) (classes & ModuleClasses.RESERVED_BITS) == 0
        && message[(short) (terms + ContentTerms.SUITE)] == SUITE_1
        && (tariff != Tariffs.FREE || Unsigned.isZero(message, (short) (terms + ContentTerms.PRICE), (short) 4))
        && (message[(short) (at + KeyMessage.PARENT_KIND)] == Kinds.SLOT
            || Unsigned.isZero(message, (short) (terms + ContentTerms.EPOCH), (short) 4))
        && Unsigned.isZero(message, (short) (terms + ContentTerms.RESERVED),
            (short) (ContentTerms.SIZE - ContentTerms.RESERVED));
  }

  /** Steps 5 to 7 for segment and content keys, which live in RAM. */
  private void loadIntoRam(byte[] message, short at, byte parentKind, byte parent) {
    byte kind = message[at];
    KeyTable parentTable = keys.tableOf(parent);
    short parentEntry = parentTable.at(KeyStore.rowOf(parent));
    // Step 5
    overlap(message, at, parentTable.entries, parentEntry);
    byte purchase = parentTable.entries[(short) (parentEntry + KeyTable.PURCHASE)];
    // Step 6
    boolean content = Kinds.isContent(kind);
    if (content) {
      requireAcceptable(message, at, kind, purchase);
    }
    // Step 7
    byte place = keys.placeFor(kind, message, (short) (at + KeyMessage.SERVICE), (short) (at + KeyMessage.KEY_ID));
    KeyTable table = keys.tableOf(place);
    byte row = KeyStore.rowOf(place);
    short entry = table.at(row);
    parents.prepareKeys(message, at, parentKind, parent);
    if (table.isUsed(row) && workingKeys.areOf(table.encryptionKey(row))) {
      workingKeys.wipe();
      if (Unsigned.compare(message, (short) (at + KeyMessage.TO), table.entries, (short) (entry + KeyTable.TO),
          (short) 4) < 0) {
        return;
      }
      if (!content && table.entries[(short) (entry + KeyTable.PURCHASE)] != purchase) {
        keys.freeContentsUnder(place);
      }
    } else {
      keys.free(place);
      workingKeys.store(table.encryptionKey(row), table.macKey(row));
      if (content) {
        transients.initContentEngines(row);
      }
    }
    table.entries[(short) (entry + KeyTable.PARENT_KIND)] = parentKind;
    table.entries[(short) (entry + KeyTable.PURCHASE)] = purchase;
    table.entries[(short) (entry + KeyTable.PARENT)] = parent;
    Util.arrayCopyNonAtomic(message, (short) (at + KeyMessage.NAME_AND_VALIDITY), table.entries,
        (short) (entry + KeyTable.NAME_AND_VALIDITY), KeyMessage.NAME_AND_VALIDITY_LENGTH);
    if (content) {
      storeTerms(message, (short) (at + KeyMessage.BODY), table, entry);
    }
    // The kind comes last: it makes the key valid.
    table.entries[entry] = kind;
  }

  /** Step 5: puts the overlap of the message's validity with its parent's in the message's place; throws 9405. */
  private static void overlap(byte[] message, short at, byte[] entries, short parentEntry) {
    short from = (short) (at + KeyMessage.FROM);
    short to = (short) (at + KeyMessage.TO);
    if (Unsigned.compare(message, from, entries, (short) (parentEntry + KeyTable.FROM), (short) 4) < 0) {
      Util.arrayCopyNonAtomic(entries, (short) (parentEntry + KeyTable.FROM), message, from, (short) 4);
    }
    Unsigned.lower(message, to, entries, (short) (parentEntry + KeyTable.TO), (short) 4);
    if (Unsigned.compare(message, from, message, to, (short) 4) >= 0) {
      ISOException.throwIt(StatusWords.OUTSIDE_VALIDITY);
    }
  }

  /** Step 6: requires content that this card, its holder and the purchase accept; throws 9408, 940A, 9409, 9402. */
  private void requireAcceptable(byte[] message, short at, byte kind, byte purchase) {
    short terms = (short) (at + KeyMessage.BODY);
    byte tariff = message[(short) (terms + ContentTerms.TARIFF)];
    if (kind == Kinds.BLIND && tariff != Tariffs.FREE && tariff != Tariffs.FLAT) {
      ISOException.throwIt(StatusWords.BLIND_MISMATCH);
    }
    if (!isClassAccepted(message[(short) (terms + ContentTerms.CLASSES)])) {
      ISOException.throwIt(StatusWords.CLASS_REFUSED);
    }
    if (!pin.allowsRating(message[(short) (terms + ContentTerms.RATING)])) {
      ISOException.throwIt(StatusWords.ABOVE_RATING);
    }
    if (exceedsPriceCeiling(message, (short) (terms + ContentTerms.PRICE), tariff, purchase)) {
      ISOException.throwIt(StatusWords.ABOVE_CEILING);
    }
  }

  private boolean isClassAccepted(byte classes) {
    boolean card = persistent.card[Persistent.MODULE_CLASS] == ModuleClasses.CARD;
    return (byte) (classes & (card ? ModuleClasses.CARD_BIT : ModuleClasses.SOFT_BIT)) != 0;
  }

  /** Whether a price is above the purchase's ceiling for the tariff; what is free has none. */
  private boolean exceedsPriceCeiling(byte[] message, short price, byte tariff, byte purchase) {
    if (tariff == Tariffs.FREE) {
      return false;
    }
    short ceiling = tariff == Tariffs.OCTETS ? Ceilings.PER_MEGABYTE
        : tariff == Tariffs.DURATION ? Ceilings.PER_HOUR : Ceilings.FLAT;
    short ceilings = (short) (persistent.purchases.at(purchase) + KeyTable.CEILINGS);
    return Unsigned.compare(message, price, persistent.purchases.entries, (short) (ceilings + ceiling), (short) 4) > 0;
  }

  private static void storeTerms(byte[] message, short terms, KeyTable table, short entry) {
    table.entries[(short) (entry + KeyTable.TARIFF)] = message[(short) (terms + ContentTerms.TARIFF)];
    table.copyField(message, (short) (terms + ContentTerms.PRICE), entry, KeyTable.PRICE);
    table.copyField(message, (short) (terms + ContentTerms.SEGMENT_ID), entry, KeyTable.SEGMENT_ID);
    table.copyField(message, (short) (terms + ContentTerms.FIRST_SSRC), entry, KeyTable.FIRST_SSRC);
    table.copyField(message, (short) (terms + ContentTerms.SECOND_SSRC), entry, KeyTable.SECOND_SSRC);
  }
}
