package tollcast.applet;

import javacard.framework.Util;
import javacard.security.AESKey;
import javacard.security.KeyBuilder;
import javacardx.crypto.Cipher;

/** The keys that messages are wrapped under (protocol 4.1); the one place that unwraps. */
final class Parents {
  private final Persistent persistent;
  private final KeyStore keys;
  private final Marks marks;
  private final KeySplit split;
  /** For others between two uses. */
  final Cipher cipher;
  private final byte[] work;
  /** The keys of a tree node, slot or private half, made when a message names it. */
  private final AESKey madeWrap;
  private final AESKey madeMac;

  Parents(Persistent persistent, Transients transients, KeyStore keys, Marks marks, KeySplit split) {
    this.persistent = persistent;
    this.keys = keys;
    this.marks = marks;
    this.split = split;
    cipher = Cipher.getInstance(Cipher.ALG_AES_BLOCK_128_CBC_NOPAD, false);
    work = transients.work;
    madeWrap = transientKey();
    madeMac = transientKey();
  }

  private static AESKey transientKey() {
    return (AESKey) KeyBuilder.buildKey(KeyBuilder.TYPE_AES_TRANSIENT_RESET, KeyBuilder.LENGTH_AES_128, false);
  }

  /** The place of the parent that the message at `at` names, of a slot that of its purchase; 0 for one of the card. */
  byte find(byte[] m, short at) {
    byte kind = m[(short) (at + KeyMessages.PARENT_KIND)];
    short service = (short) (at + KeyMessages.SERVICE);
    short id = (short) (at + KeyMessages.PARENT_ID);
    if (Kinds.isPair(kind) && (persistent.keyPairs == null || !persistent.keyPairs.hasHeadEnd()
        || (kind == Kinds.CARD_PAIR && !persistent.keyPairs.hasOwn()))) {
      return KeyTable.NONE;
    }
    if (Kinds.isPersonal(kind)) {
      boolean own = Util.arrayCompare(m, id, persistent.card, Persistent.CARD_SERIAL, (short) 4) == 0;
      return own ? 0 : KeyTable.NONE;
    }
    if (kind == Kinds.SLOT) {
      return slot(m, at, service, id);
    }
    byte place = kind == Kinds.SEEDS ? KeyTable.NONE : keys.find(kind, m, service, m, id);
    if (place != KeyTable.NONE && kind == Kinds.NODE) {
      KeyTable nodes = persistent.nodes;
      short key = (short) (nodes.at(KeyStore.slot(place)) + Tree.KEY);
      split.name(kind, m, service, m, id);
      Util.arrayCopyNonAtomic(nodes.entries, key, work, KeySplit.KEY, (short) 16);
      split.split(madeWrap, madeMac);
    }
    return place;
  }

  /** Makes the keys of a slot from its leaf and the epoch that a content message names. */
  private byte slot(byte[] m, short at, short service, short id) {
    short epoch = (short) (at + KeyMessages.BODY_EPOCH);
    boolean inEpoch = Kinds.isContent(m[at]) && !Unsigned.isZero(m, epoch, (short) 4);
    byte root = inEpoch ? Tree.root(persistent.nodes, m, service, epoch) : 0;
    byte purchase = root == KeyTable.NONE ? KeyTable.NONE : marks.leaf(m, service, id);
    if (purchase == KeyTable.NONE) {
      return KeyTable.NONE;
    }
    split.name(Kinds.SLOT, m, service, m, id);
    Util.arrayCopyNonAtomic(work, KeySplit.SEED, work, KeySplit.LEAF, (short) 16);
    if (inEpoch) {
      KeyTable nodes = persistent.nodes;
      Util.arrayCopyNonAtomic(m, epoch, work, KeySplit.EPOCH, (short) 4);
      Util.arrayCopyNonAtomic(nodes.entries, (short) (nodes.at(root) + Tree.KEY), work, KeySplit.EPOCH_KEY, (short) 16);
    } else {
      Util.arrayFillNonAtomic(work, KeySplit.EPOCH, (short) 4, (byte) 0);
      Util.arrayFillNonAtomic(work, KeySplit.EPOCH_KEY, (short) 16, (byte) 0);
    }
    split.splitSlot(madeWrap, madeMac);
    return purchase;
  }

  /**
   * Of a private half as parent makes the keys, with the ephemeral point that ends at `end` of `m`.
   *
   * @return false where that is not possible; true for any other parent
   */
  boolean agree(byte[] m, short at, byte kind, byte place, short end) {
    if (!Kinds.isPair(kind)) {
      return true;
    }
    boolean own = kind == Kinds.CARD_PAIR;
    byte service = own ? KeyTable.NONE : (byte) (place - Persistent.KEYED_PURCHASES);
    if (!persistent.keyPairs.agree(service, m, (short) (end - KeyPairs.EPHEMERAL_LENGTH), work)) {
      return false;
    }
    split.name(kind, own ? null : m, (short) (at + KeyMessages.SERVICE), m, (short) (at + KeyMessages.PARENT_ID));
    split.splitPair(madeWrap, madeMac);
    return true;
  }

  private static boolean made(byte kind) {
    return kind == Kinds.NODE || kind == Kinds.SLOT || Kinds.isPair(kind);
  }

  AESKey macKey(byte kind, byte place) {
    if (kind == Kinds.UNIQUE) {
      return persistent.downlinkMac;
    }
    return made(kind) ? madeMac : keys.table(place).macKey(KeyStore.slot(place));
  }

  private AESKey wrapKey(byte kind, byte place) {
    if (kind == Kinds.UNIQUE) {
      return persistent.downlinkWrap;
    }
    return made(kind) ? madeWrap : keys.table(place).wrapKey(KeyStore.slot(place));
  }

  /** Deciphers what the message at `at` wraps, `length` octets. */
  void unwrap(byte[] m, short at, byte parentKind, byte parent, byte[] to, short toAt, short length) {
    cipher.init(wrapKey(parentKind, parent), Cipher.MODE_DECRYPT);
    cipher.doFinal(m, (short) (at + KeyMessages.WRAPPED), length, to, toAt);
  }

  /** Deciphers the wrapped key and makes the two keys of a slot from it. */
  void unwrapInto(byte[] m, short at, byte parentKind, byte parent, KeyTable table, byte slot) {
    unwrap(m, at, parentKind, parent, work, KeySplit.KEY, (short) 16);
    split.name(m[at], m, (short) (at + KeyMessages.SERVICE), m, (short) (at + KeyMessages.ID));
    split.split(table.wrapKey(slot), table.macKey(slot));
  }
}
