package tollcast.applet;

import javacard.framework.Util;
import javacard.security.CryptoException;
import javacard.security.ECKey;
import javacard.security.ECPrivateKey;
import javacard.security.ECPublicKey;
import javacard.security.KeyAgreement;
import javacard.security.KeyBuilder;
import javacard.security.KeyPair;

/** P-256 keys (protocol 4.9): the card's own pair, private halves of services, and the head-end's static point. */
final class KeyPairs {
  /** Octets of an uncompressed point, and its first one. */
  static final short POINT_LENGTH = 65;
  static final byte UNCOMPRESSED = 4;
  /** Octets of a private half, and of a coordinate. */
  static final short PRIVATE_LENGTH = 32;

  private static final short BITS = 256;
  private static final short P = 0;
  private static final short A = 32;
  private static final short B = 64;
  private static final short G = 96;
  private static final short ORDER = 161;
  /** The parameters of secp256r1 (SEC 2 version 2, 2.4.2): p, a, b, G, order; their offsets are above. */
  private static final byte[] CURVE = {
      -1, -1, -1, -1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
      -1, -1, -1, -1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -4,
      0x5A, (byte) 0xC6, 0x35, (byte) 0xD8, (byte) 0xAA, 0x3A, (byte) 0x93, (byte) 0xE7,
      (byte) 0xB3, (byte) 0xEB, (byte) 0xBD, 0x55, 0x76, (byte) 0x98, (byte) 0x86, (byte) 0xBC,
      0x65, 0x1D, 0x06, (byte) 0xB0, (byte) 0xCC, 0x53, (byte) 0xB0, (byte) 0xF6,
      0x3B, (byte) 0xCE, 0x3C, 0x3E, 0x27, (byte) 0xD2, 0x60, 0x4B,
      0x04,
      0x6B, 0x17, (byte) 0xD1, (byte) 0xF2, (byte) 0xE1, 0x2C, 0x42, 0x47,
      (byte) 0xF8, (byte) 0xBC, (byte) 0xE6, (byte) 0xE5, 0x63, (byte) 0xA4, 0x40, (byte) 0xF2,
      0x77, 0x03, 0x7D, (byte) 0x81, 0x2D, (byte) 0xEB, 0x33, (byte) 0xA0,
      (byte) 0xF4, (byte) 0xA1, 0x39, 0x45, (byte) 0xD8, (byte) 0x98, (byte) 0xC2, (byte) 0x96,
      0x4F, (byte) 0xE3, 0x42, (byte) 0xE2, (byte) 0xFE, 0x1A, 0x7F, (byte) 0x9B,
      (byte) 0x8E, (byte) 0xE7, (byte) 0xEB, 0x4A, 0x7C, 0x0F, (byte) 0x9E, 0x16,
      0x2B, (byte) 0xCE, 0x33, 0x57, 0x6B, 0x31, 0x5E, (byte) 0xCE,
      (byte) 0xCB, (byte) 0xB6, 0x40, 0x68, 0x37, (byte) 0xBF, 0x51, (byte) 0xF5,
      -1, -1, -1, -1, 0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1,
      (byte) 0xBC, (byte) 0xE6, (byte) 0xFA, (byte) 0xAD, (byte) 0xA7, 0x17, (byte) 0x9E, (byte) 0x84,
      (byte) 0xF3, (byte) 0xB9, (byte) 0xCA, (byte) 0xC2, (byte) 0xFC, 0x63, 0x25, 0x51};

  private static final byte OWN_PAIRS = 2;

  /** The head-end's static point; its first octet is 04 when it is here. */
  final byte[] headEndPoint;
  /** Two pairs take turns, so that one is whole wherever the power fails. */
  private final KeyPair[] ownPairs;
  /** Which of them is the card's: 1 or 2; 0 when there is none yet. */
  private byte current;
  private final ECPrivateKey[] privateHalves;
  private final KeyAgreement agreement;

  private KeyPairs(byte services) {
    headEndPoint = new byte[POINT_LENGTH];
    ownPairs = new KeyPair[OWN_PAIRS];
    for (byte i = 0; i < OWN_PAIRS; i++) {
      ECPublicKey point = (ECPublicKey) KeyBuilder.buildKey(KeyBuilder.TYPE_EC_FP_PUBLIC, BITS, false);
      setCurve(point);
      ownPairs[i] = new KeyPair(point, makePrivateKey());
    }
    privateHalves = new ECPrivateKey[services];
    for (byte i = 0; i < services; i++) {
      privateHalves[i] = makePrivateKey();
    }
    agreement = KeyAgreement.getInstance(KeyAgreement.ALG_EC_SVDP_DH, false);
    // A chip without the curve may refuse as late as here.
    ownPairs[0].genKeyPair();
    agreement.init(ownPairs[0].getPrivate());
  }

  /** Makes the keys, or returns null where the chip does not have the curve. */
  static KeyPairs makeWhereSupported(byte services) {
    try {
      return new KeyPairs(services);
    } catch (CryptoException e) {
      return null;
    }
  }

  private static ECPrivateKey makePrivateKey() {
    ECPrivateKey key = (ECPrivateKey) KeyBuilder.buildKey(KeyBuilder.TYPE_EC_FP_PRIVATE, BITS, false);
    setCurve(key);
    return key;
  }

  private static void setCurve(ECKey key) {
    key.setFieldFP(CURVE, P, PRIVATE_LENGTH);
    key.setA(CURVE, A, PRIVATE_LENGTH);
    key.setB(CURVE, B, PRIVATE_LENGTH);
    key.setG(CURVE, G, POINT_LENGTH);
    key.setR(CURVE, ORDER, PRIVATE_LENGTH);
    key.setK((short) 1);
  }

  boolean hasOwn() {
    return current != 0;
  }

  boolean hasHeadEndPoint() {
    return headEndPoint[0] == UNCOMPRESSED;
  }

  /** GENERATE KEY PAIR: makes a new pair, which replaces the old one; writes its point to the start of `answer`. */
  short generate(byte[] answer) {
    byte before = current;
    byte next = (byte) (before == 1 ? 2 : 1);
    ownPairs[(byte) (next - 1)].genKeyPair();
    current = next;
    if (before != 0) {
      overwrite((ECPrivateKey) ownPairs[(byte) (before - 1)].getPrivate());
    }
    return copyPoint(answer);
  }

  /** Copies the point of the card's own pair to the start of `answer`; returns its length. */
  short copyPoint(byte[] answer) {
    return ((ECPublicKey) ownPairs[(byte) (current - 1)].getPublic()).getW(answer, (short) 0);
  }

  /** Whether 32 octets are a private half: 1 to the order less 1. */
  static boolean isPrivateHalf(byte[] half, short at) {
    return !Unsigned.isZero(half, at, PRIVATE_LENGTH)
        && Unsigned.compare(half, at, CURVE, ORDER, PRIVATE_LENGTH) < 0;
  }

  void storePrivateHalf(byte service, byte[] half, short at) {
    privateHalves[service].setS(half, at, PRIVATE_LENGTH);
  }

  /** Whether the private half of a service is the one at `at`; puts it behind that for a comparison. */
  boolean isPrivateHalfOf(byte service, byte[] half, short at) {
    short other = (short) (at + PRIVATE_LENGTH);
    privateHalves[service].getS(half, other);
    boolean same = Util.arrayCompare(half, at, half, other, PRIVATE_LENGTH) == 0;
    Util.arrayFillNonAtomic(half, other, PRIVATE_LENGTH, (byte) 0);
    return same;
  }

  /** Overwrites the private half of a service. */
  void wipe(byte service) {
    overwrite(privateHalves[service]);
  }

  /** Overwrites a secret with octets that everyone knows; clearKey() may take the curve along. */
  private static void overwrite(ECPrivateKey key) {
    key.setS(CURVE, B, PRIVATE_LENGTH);
  }

  /**
   * Puts Z1, Z2 and the ephemeral point of `message` where {@link WorkingKeys#deriveOfPair} expects them.
   *
   * @param service row of its private half, or NONE for the card's own pair
   * @return false for a point that is not on the curve
   */
  boolean agree(byte service, byte[] message, short ephemeralPoint, byte[] work) {
    try {
      agreement.init(service == KeyTable.NONE ? ownPairs[(byte) (current - 1)].getPrivate() : privateHalves[service]);
      // The octet before the point makes it uncompressed; Z2 overwrites it.
      short point = (short) (WorkingKeys.EPHEMERAL_POINT - 1);
      work[point] = UNCOMPRESSED;
      Util.arrayCopyNonAtomic(message, ephemeralPoint, work, WorkingKeys.EPHEMERAL_POINT,
          KeyMessage.EPHEMERAL_POINT_LENGTH);
      agreement.generateSecret(work, point, POINT_LENGTH, work, WorkingKeys.Z1);
      agreement.generateSecret(headEndPoint, (short) 0, POINT_LENGTH, work, WorkingKeys.Z2);
      return true;
    } catch (CryptoException e) {
      return false;
    }
  }
}
