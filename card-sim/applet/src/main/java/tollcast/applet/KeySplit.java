package tollcast.applet;

import javacard.framework.Util;
import javacard.security.AESKey;
import javacard.security.MessageDigest;

/** What SHA-256 makes of keys: two keys of one (protocol 1.1), those of a slot, and nodes of the seed tree (4.6). */
final class KeySplit {
  private static final short SERVICE = 1;
  private static final short ID = 5;
  private static final short INPUT = 25;
  private static final short OUTPUT = 48;

  /** Where the caller puts the 16 octets of K in `work`. */
  static final short KEY = 9;

  /** A slot has its epoch and two keys after its name. */
  static final short EPOCH = 9;
  static final short LEAF = 13;
  static final short EPOCH_KEY = 29;
  private static final short SLOT_INPUT = 45;

  /** A private half has what two agreements gave, 20 octets each, and the ephemeral point after its name. */
  static final short Z1 = 9;
  static final short Z2 = 29;
  static final short EPHEMERAL = 49;
  private static final short PAIR_INPUT = 113;

  /** Where {@link #descend} has a node of the seed tree, after the octet that says which child is meant. */
  static final short SEED = 81;
  private static final short SIDE = 80;
  private static final short CHILD = 97;

  private final MessageDigest digest;
  private final byte[] work;

  KeySplit(Transients transients) {
    digest = MessageDigest.getInstance(MessageDigest.ALG_SHA_256, false);
    work = transients.work;
  }

  /** Says what K at {@link #KEY} is a key of; a service of null is 0. */
  void name(byte kind, byte[] service, short serviceAt, byte[] id, short idAt) {
    work[0] = kind;
    if (service == null) {
      Util.arrayFillNonAtomic(work, SERVICE, (short) 4, (byte) 0);
    } else {
      Util.arrayCopyNonAtomic(service, serviceAt, work, SERVICE, (short) 4);
    }
    Util.arrayCopyNonAtomic(id, idAt, work, ID, (short) 4);
  }

  /** SHA-256(kind, service, id, K) = encryption key, MAC key; leaves neither them nor K behind. */
  void split(AESKey wrap, AESKey mac) {
    split(INPUT, wrap, mac);
  }

  /** The same of a slot: SHA-256(kind, service, slot, epoch, leaf, epoch key). */
  void splitSlot(AESKey wrap, AESKey mac) {
    split(SLOT_INPUT, wrap, mac);
  }

  /** The same of a private half: SHA-256(kind, service, id, Z1, Z2, ephemeral point). */
  void splitPair(AESKey wrap, AESKey mac) {
    split(PAIR_INPUT, wrap, mac);
  }

  /** The digest may go over what it is made of. */
  private void split(short input, AESKey wrap, AESKey mac) {
    digest.doFinal(work, (short) 0, input, work, OUTPUT);
    wrap.setKey(work, OUTPUT);
    mac.setKey(work, (short) (OUTPUT + 16));
    Util.arrayFillNonAtomic(work, (short) 0, (short) (CHILD + 32), (byte) 0);
  }

  /** Replaces the node at {@link #SEED} by its left (0) or right (1) child. */
  void descend(byte side) {
    work[SIDE] = side;
    digest.doFinal(work, SIDE, (short) 17, work, CHILD);
    Util.arrayCopyNonAtomic(work, CHILD, work, SEED, (short) 16);
  }
}
