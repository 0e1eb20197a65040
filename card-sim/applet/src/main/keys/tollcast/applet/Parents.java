package tollcast.applet;

import javacard.framework.Util;
import javacard.security.AESKey;
import javacard.security.KeyBuilder;
import javacardx.crypto.Cipher;

/** The keys that messages are wrapped under (protocol 4.1); the one class that unwraps. */
final class Parents {
  private final Persistent persistent;
  private final KeyStore keys;
  private final Marks marks;
  private final WorkingKeys workingKeys;
  /** Others may use it, too: each use initialises it anew. */
  final Cipher cipher;
  private final byte[] work;
  /** The working keys of a tree node, a slot or a key pair, derived when a message names it as its parent. */
  private final AESKey derivedEncryption;
  private final AESKey derivedMac;

  Parents(Persistent persistent, Transients transients, KeyStore keys, Marks marks, WorkingKeys workingKeys) {
    this.persistent = persistent;
    this.keys = keys;
    this.marks = marks;
    this.workingKeys = workingKeys;
    cipher = Cipher.getInstance(Cipher.ALG_AES_BLOCK_128_CBC_NOPAD, false);
    work = transients.work;
    derivedEncryption = KeyTable.makeKey(KeyBuilder.TYPE_AES_TRANSIENT_DESELECT);
    derivedMac = KeyTable.makeKey(KeyBuilder.TYPE_AES_TRANSIENT_DESELECT);
  }

  /**
   * Finds the parent that a message names (4.4 step 1), and derives the working keys of a node or a slot.
   *
   * @return its place; for a slot that of the purchase which covers it; 0 for a key of the card itself; or NONE
   */
  byte find(byte[] message, short at) {
    byte kind = message[(short) (at + KeyMessage.PARENT_KIND)];
    short service = (short) (at + KeyMessage.SERVICE);
    short id = (short) (at + KeyMessage.PARENT_ID);
    if (Kinds.isPair(kind) && !canAgree(kind)) {
      return KeyTable.NONE;
    }
    if (Kinds.isPersonal(kind)) {
      boolean own = Util.arrayCompare(message, id, persistent.card, Persistent.SERIAL, (short) 4) == 0;
      return own ? 0 : KeyTable.NONE;
    }
    if (kind == Kinds.SLOT) {
      return findSlot(message, at);
    }
    byte place = kind == Kinds.SEEDS ? KeyTable.NONE : keys.find(kind, message, service, message, id);
    if (place != KeyTable.NONE && kind == Kinds.NODE) {
      KeyTable nodes = persistent.nodes;
      short key = (short) (nodes.at(KeyStore.rowOf(place)) + Tree.KEY);
      workingKeys.setName(kind, message, service, message, id);
      Util.arrayCopyNonAtomic(nodes.entries, key, work, WorkingKeys.KEY, KeyMessage.KEY_LENGTH);
      workingKeys.derive(derivedEncryption, derivedMac);
    }
    return place;
  }

  /** Whether the card has the head-end's point, and for kind 02 a key pair of its own (4.9). */
  private boolean canAgree(byte kind) {
    KeyPairs pairs = persistent.keyPairs;
    return pairs != null && pairs.hasHeadEndPoint() && (kind != Kinds.CARD_PAIR || pairs.hasOwn());
  }

  /** Derives the working keys of a slot from its leaf and from the epoch that a content message names (4.6). */
  private byte findSlot(byte[] message, short at) {
    short service = (short) (at + KeyMessage.SERVICE);
    short slot = (short) (at + KeyMessage.PARENT_ID);
    short epoch = (short) (at + (short) (KeyMessage.BODY + ContentTerms.EPOCH));
    boolean hasEpoch = Kinds.isContent(message[at]) && !Unsigned.isZero(message, epoch, (short) 4);
    byte root = hasEpoch ? Tree.findRoot(persistent.nodes, message, service, epoch) : 0;
    byte purchase = root == KeyTable.NONE ? KeyTable.NONE : marks.deriveLeaf(message, service, slot);
    if (purchase == KeyTable.NONE) {
      return KeyTable.NONE;
    }
    workingKeys.setName(Kinds.SLOT, message, service, message, slot);
    Util.arrayCopyNonAtomic(work, WorkingKeys.NODE, work, WorkingKeys.LEAF, KeyMessage.KEY_LENGTH);
    if (hasEpoch) {
      KeyTable nodes = persistent.nodes;
      Util.arrayCopyNonAtomic(message, epoch, work, SlotName.EPOCH, (short) 4);
      Util.arrayCopyNonAtomic(nodes.entries, (short) (nodes.at(root) + Tree.KEY), work, WorkingKeys.EPOCH_KEY,
          KeyMessage.KEY_LENGTH);
    } else {
      Util.arrayFillNonAtomic(work, SlotName.EPOCH, (short) 4, (byte) 0);
      Util.arrayFillNonAtomic(work, WorkingKeys.EPOCH_KEY, KeyMessage.KEY_LENGTH, (byte) 0);
    }
    workingKeys.deriveOfSlot(derivedEncryption, derivedMac);
    return purchase;
  }

  /**
   * Derives the working keys of a key pair as parent, with the ephemeral point that ends at `end`.
   *
   * @return false where the agreement fails; true for any other parent
   */
  boolean agree(byte[] message, short at, byte kind, byte place, short end) {
    if (!Kinds.isPair(kind)) {
      return true;
    }
    boolean own = kind == Kinds.CARD_PAIR;
    byte service = own ? KeyTable.NONE : (byte) (place - Persistent.KEYED_PURCHASES);
    if (!persistent.keyPairs.agree(service, message, (short) (end - KeyMessage.EPHEMERAL_POINT_LENGTH), work)) {
      return false;
    }
    workingKeys.setName(kind, own ? null : message, (short) (at + KeyMessage.SERVICE), message,
        (short) (at + KeyMessage.PARENT_ID));
    workingKeys.deriveOfPair(derivedEncryption, derivedMac);
    return true;
  }

  private static boolean isDerived(byte kind) {
    return kind == Kinds.NODE || kind == Kinds.SLOT || Kinds.isPair(kind);
  }

  AESKey macKey(byte kind, byte place) {
    if (kind == Kinds.UNIQUE) {
      return persistent.downlinkMac;
    }
    return isDerived(kind) ? derivedMac : keys.tableOf(place).macKey(KeyStore.rowOf(place));
  }

  private AESKey encryptionKey(byte kind, byte place) {
    if (kind == Kinds.UNIQUE) {
      return persistent.downlinkEncryption;
    }
    return isDerived(kind) ? derivedEncryption : keys.tableOf(place).encryptionKey(KeyStore.rowOf(place));
  }

  /** Deciphers the `length` octets that the message at `at` wraps. */
  void unwrap(byte[] message, short at, byte parentKind, byte parent, byte[] to, short toAt, short length) {
    cipher.init(encryptionKey(parentKind, parent), Cipher.MODE_DECRYPT);
    cipher.doFinal(message, (short) (at + KeyMessage.WRAPPED_KEY), length, to, toAt);
  }

  /** Deciphers the wrapped key and prepares its working keys, for {@link WorkingKeys#store}. */
  void prepareKeys(byte[] message, short at, byte parentKind, byte parent) {
    // Not by unwrap: every call costs Java stack, and here it is deepest.
    cipher.init(encryptionKey(parentKind, parent), Cipher.MODE_DECRYPT);
    cipher.doFinal(message, (short) (at + KeyMessage.WRAPPED_KEY), KeyMessage.KEY_LENGTH, work, WorkingKeys.KEY);
    workingKeys.setName(message[at], message, (short) (at + KeyMessage.SERVICE), message,
        (short) (at + KeyMessage.KEY_ID));
    workingKeys.prepare();
  }
}
