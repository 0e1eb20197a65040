package tollcast.applet;

import javacard.framework.Util;
import javacard.security.AESKey;
import javacard.security.MessageDigest;

/**
 * Derives working keys with SHA-256: the encryption and the MAC key of one key (protocol 1.1), those of a slot (4.6)
 * and of a key pair as parent (4.9), and the nodes of the seed tree (4.6).
 */
final class WorkingKeys {
  /** The input in `work` is the name of a key, and the key. */
  static final short KEY = KeyName.SIZE;
  private static final short KEY_INPUT = 25;

  /** For a slot it is the name of the slot, the leaf key and the epoch key. */
  static final short LEAF = SlotName.SIZE;
  static final short EPOCH_KEY = 29;
  private static final short SLOT_INPUT = 45;

  /** For a key pair it is the name of the private half, Z1, Z2, 20 octets each, and the ephemeral point. */
  static final short Z1 = KeyName.SIZE;
  static final short Z2 = 29;
  static final short EPHEMERAL_POINT = 49;
  private static final short PAIR_INPUT = 113;

  private static final short OUTPUT = 48;

  /** A node of the seed tree, behind the octet that says which child is derived; then that child. */
  private static final short SIDE = 80;
  static final short NODE = 81;
  private static final short NODE_INPUT = 17;
  private static final short CHILD = 97;
  static final short END = 129;

  private final MessageDigest digest;
  private final byte[] work;

  WorkingKeys(Transients transients) {
    digest = MessageDigest.getInstance(MessageDigest.ALG_SHA_256, false);
    work = transients.work;
  }

  /** Writes kind, service and id of a key into the input; a service of null is 0. */
  void setName(byte kind, byte[] service, short serviceAt, byte[] id, short idAt) {
    work[KeyName.KIND] = kind;
    if (service == null) {
      Util.arrayFillNonAtomic(work, KeyName.SERVICE, (short) 4, (byte) 0);
    } else {
      Util.arrayCopyNonAtomic(service, serviceAt, work, KeyName.SERVICE, (short) 4);
    }
    Util.arrayCopyNonAtomic(id, idAt, work, KeyName.KEY_ID, (short) 4);
  }

  /** Derives the working keys of the key at {@link #KEY}. */
  void derive(AESKey encryption, AESKey mac) {
    derive(KEY_INPUT, encryption, mac);
  }

  /** Derives the working keys of the key at {@link #KEY} to where {@link #store} takes them from. */
  void prepare() {
    digest.doFinal(work, (short) 0, KEY_INPUT, work, OUTPUT);
  }

  /** Whether the prepared working keys are those of a key, by its encryption key; it has all 128 bits of the hash. */
  boolean areOf(AESKey encryption) {
    encryption.getKey(work, NODE);
    return Util.arrayCompare(work, NODE, work, OUTPUT, KeyMessage.KEY_LENGTH) == 0;
  }

  /** Derives the working keys of a slot. */
  void deriveOfSlot(AESKey encryption, AESKey mac) {
    derive(SLOT_INPUT, encryption, mac);
  }

  /** Derives the working keys of a key pair as parent. */
  void deriveOfPair(AESKey encryption, AESKey mac) {
    derive(PAIR_INPUT, encryption, mac);
  }

  /** The output may overwrite the input. Nothing secret stays in `work`. */
  private void derive(short inputLength, AESKey encryption, AESKey mac) {
    digest.doFinal(work, (short) 0, inputLength, work, OUTPUT);
    store(encryption, mac);
  }

  /** Stores the prepared working keys. */
  void store(AESKey encryption, AESKey mac) {
    encryption.setKey(work, OUTPUT);
    mac.setKey(work, (short) (OUTPUT + KeyMessage.KEY_LENGTH));
    wipe();
  }

  /** Overwrites what is secret in `work`. */
  void wipe() {
    Util.arrayFillNonAtomic(work, (short) 0, END, (byte) 0);
  }

  /** Replaces the node at {@link #NODE} by its left (0) or right (1) child. */
  void descend(byte side) {
    work[SIDE] = side;
    digest.doFinal(work, SIDE, NODE_INPUT, work, CHILD);
    Util.arrayCopyNonAtomic(work, CHILD, work, NODE, KeyMessage.KEY_LENGTH);
  }
}
