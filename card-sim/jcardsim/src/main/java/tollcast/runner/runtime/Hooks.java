package tollcast.runner.runtime;

import com.licel.jcardsim.base.SimulatorSystem;
import com.licel.jcardsim.crypto.SymmetricKeyImpl;
import java.util.Arrays;
import javacard.framework.AID;
import javacard.framework.APDU;
import javacard.framework.JCSystem;
import javacard.framework.Util;
import javacard.security.AESKey;
import javacard.security.CryptoException;
import javacard.security.DESKey;
import javacard.security.ECKey;
import javacard.security.ECPrivateKey;
import javacard.security.ECPublicKey;
import javacard.security.HMACKey;
import javacard.security.Key;
import javacard.security.KeyAgreement;
import javacard.security.KeyBuilder;
import javacard.security.KeyPair;
import javacard.security.MessageDigest;
import javacard.security.PrivateKey;
import javacard.security.RandomData;
import javacard.security.Signature;
import javacardx.crypto.Cipher;
import tollcast.runner.memory.Eeprom;
import tollcast.runner.memory.KeyPairMemory;

/**
 * What the rewritten applet calls ({@link AppletRewriter}). The methods of the first group replace instructions; each
 * other one replaces the API method of its name and descriptor, whose receiver is its first argument.
 */
public final class Hooks {
  private Hooks() {}

  private static CardRuntime card() {
    return (CardRuntime) SimulatorSystem.instance();
  }

  private static Eeprom eeprom() {
    return card().eeprom;
  }

  // --- instructions

  public static void beforeField(Object target, int site) {
    eeprom().beforeField(target, site);
  }

  /** BASTORE, which stores octets and booleans. */
  public static void storeByte(Object array, int index, int value) {
    if (array instanceof boolean[] flags) {
      eeprom().storeBoolean(flags, index, (value & 1) != 0);
    } else {
      eeprom().storeByte((byte[]) array, index, (byte) value);
    }
  }

  public static void storeShort(short[] array, int index, int value) {
    eeprom().storeShort(array, index, (short) value);
  }

  public static void storeReference(Object[] array, int index, Object value) {
    eeprom().storeReference(array, index, value);
  }

  public static void uncaught(Throwable thrown) {
    card().uncaught(thrown);
  }

  // --- javacard.framework.Util

  private static boolean isWithin(byte[] array, int offset, int length) {
    return offset >= 0 && length >= 0 && offset + length <= array.length;
  }

  public static short arrayCopy(byte[] from, short fromOffset, byte[] to, short offset, short length) {
    Eeprom eeprom = eeprom();
    if (!eeprom.isPersistent(to) || !isWithin(from, fromOffset, length) || !isWithin(to, offset, length)) {
      return Util.arrayCopy(from, fromOffset, to, offset, length);
    }
    eeprom.copyAtomic(from, fromOffset, to, offset, length);
    return (short) (offset + length);
  }

  public static short arrayCopyNonAtomic(byte[] from, short fromOffset, byte[] to, short offset, short length) {
    Eeprom eeprom = eeprom();
    if (!eeprom.isPersistent(to) || !isWithin(from, fromOffset, length) || !isWithin(to, offset, length)) {
      return Util.arrayCopyNonAtomic(from, fromOffset, to, offset, length);
    }
    eeprom.copyNonAtomic(from, fromOffset, to, offset, length);
    return (short) (offset + length);
  }

  public static short arrayFillNonAtomic(byte[] array, short offset, short length, byte value) {
    Eeprom eeprom = eeprom();
    if (!eeprom.isPersistent(array) || !isWithin(array, offset, length)) {
      return Util.arrayFillNonAtomic(array, offset, length, value);
    }
    byte[] filled = new byte[length];
    Arrays.fill(filled, value);
    eeprom.copyNonAtomic(filled, 0, array, offset, length);
    return (short) (offset + length);
  }

  /** Two writes of one octet each: the specification does not promise that both happen together. */
  public static short setShort(byte[] array, short offset, short value) {
    Eeprom eeprom = eeprom();
    if (!eeprom.isPersistent(array) || !isWithin(array, offset, 2)) {
      return Util.setShort(array, offset, value);
    }
    eeprom.storeByte(array, offset, (byte) (value >> 8));
    eeprom.storeByte(array, offset + 1, (byte) value);
    return (short) (offset + 2);
  }

  // --- javacard.framework.APDU

  /** The API leaves undefined what this does for a command without data. */
  public static short setIncomingAndReceive(APDU apdu) {
    card().requireData();
    short received = apdu.setIncomingAndReceive();
    card().receiving().restoreLc(apdu.getBuffer());
    return received;
  }

  /** The rest of a command that is longer than the APDU buffer. */
  public static short receiveBytes(APDU apdu, short at) {
    Receiving receiving = card().receiving();
    return receiving.hasRest() ? receiving.receive(apdu.getBuffer(), at) : apdu.receiveBytes(at);
  }

  public static short getIncomingLength(APDU apdu) {
    return card().receiving().lengthOf(apdu.getIncomingLength());
  }

  // --- javacard.framework.JCSystem, javacard.security.KeyBuilder: RAM

  public static byte[] makeTransientByteArray(short length, byte event) {
    return card().ram.register(new byte[length], event);
  }

  public static boolean[] makeTransientBooleanArray(short length, byte event) {
    return card().ram.register(new boolean[length], event);
  }

  public static short[] makeTransientShortArray(short length, byte event) {
    return card().ram.register(new short[length], event);
  }

  public static Object[] makeTransientObjectArray(short length, byte event) {
    return card().ram.register(new Object[length], event);
  }

  public static Key buildKey(byte type, short bits, boolean encryption) {
    boolean isCurve = type == KeyBuilder.TYPE_EC_FP_PRIVATE || type == KeyBuilder.TYPE_EC_FP_PUBLIC;
    if (isCurve && !card().chip.hasP256()) {
      CryptoException.throwIt(CryptoException.NO_SUCH_ALGORITHM);
    }
    Key key = KeyBuilder.buildKey(type, bits, encryption);
    if (isCurve) {
      return key;
    }
    if (!(key instanceof SymmetricKeyImpl symmetric)) {
      throw new UnsupportedOperationException(
          "the runner keeps symmetric and elliptic curve keys only, not type " + type);
    }
    card().ram.register(symmetric);
    return key;
  }

  // --- keys

  public static void setKey(AESKey key, byte[] value, short offset) {
    card().callEngine();
    eeprom().writeKey((SymmetricKeyImpl) key, () -> key.setKey(value, offset));
  }

  public static void setKey(DESKey key, byte[] value, short offset) {
    eeprom().writeKey((SymmetricKeyImpl) key, () -> key.setKey(value, offset));
  }

  public static void setKey(HMACKey key, byte[] value, short offset, short length) {
    eeprom().writeKey((SymmetricKeyImpl) key, () -> key.setKey(value, offset, length));
  }

  public static void clearKey(Key key) {
    eeprom().writeKey((SymmetricKeyImpl) key, key::clearKey);
  }

  public static void setFieldFP(ECKey key, byte[] value, short offset, short length) {
    KeyPairMemory.set(eeprom(), key, length, () -> key.setFieldFP(value, offset, length));
  }

  public static void setA(ECKey key, byte[] value, short offset, short length) {
    KeyPairMemory.set(eeprom(), key, length, () -> key.setA(value, offset, length));
  }

  public static void setB(ECKey key, byte[] value, short offset, short length) {
    KeyPairMemory.set(eeprom(), key, length, () -> key.setB(value, offset, length));
  }

  public static void setG(ECKey key, byte[] value, short offset, short length) {
    KeyPairMemory.set(eeprom(), key, length, () -> key.setG(value, offset, length));
  }

  public static void setR(ECKey key, byte[] value, short offset, short length) {
    KeyPairMemory.set(eeprom(), key, length, () -> key.setR(value, offset, length));
  }

  public static void setK(ECKey key, short value) {
    KeyPairMemory.set(eeprom(), key, Short.BYTES, () -> key.setK(value));
  }

  public static void setS(ECPrivateKey key, byte[] value, short offset, short length) {
    card().callEngine();
    KeyPairMemory.set(eeprom(), key, length, () -> key.setS(value, offset, length));
  }

  public static short getS(ECPrivateKey key, byte[] out, short offset) {
    return (short) output(out, offset, room -> key.getS(room, offset));
  }

  public static short getW(ECPublicKey key, byte[] out, short offset) {
    return (short) output(out, offset, room -> key.getW(room, offset));
  }

  public static void genKeyPair(KeyPair pair) {
    card().callEngine();
    KeyPairMemory.generate(eeprom(), pair);
  }

  public static void init(KeyAgreement agreement, PrivateKey key) {
    card().callEngine();
    agreement.init(key);
  }

  /** For a point that is not on the curve a card throws ILLEGAL_VALUE; jCardSim lets Bouncy Castle's exception out. */
  public static short generateSecret(KeyAgreement agreement, byte[] point, short offset, short length, byte[] out,
      short outOffset) {
    card().callEngine();
    return (short) output(out, outOffset, room -> {
      try {
        return agreement.generateSecret(point, offset, length, room, outOffset);
      } catch (IllegalArgumentException | IllegalStateException notOnTheCurve) {
        CryptoException.throwIt(CryptoException.ILLEGAL_VALUE);
        return 0;
      }
    });
  }

  // --- Cipher, Signature, MessageDigest

  public static void init(Cipher cipher, Key key, byte mode) {
    card().init(cipher, key, mode, null, (short) 0, (short) 0);
  }

  public static void init(Cipher cipher, Key key, byte mode, byte[] iv, short offset, short length) {
    card().init(cipher, key, mode, iv, offset, length);
  }

  public static void init(Signature signature, Key key, byte mode) {
    card().init(signature, key, mode, null, (short) 0, (short) 0);
  }

  public static void init(Signature signature, Key key, byte mode, byte[] iv, short offset, short length) {
    card().init(signature, key, mode, iv, offset, length);
  }

  /** Signature.getInstance, which takes what MessageDigest.getInstance takes. */
  public static Signature makeSignature(byte algorithm, boolean external) {
    if (algorithm == Signature.ALG_AES_MAC_128_NOPAD && !card().chip.hasMac()) {
      CryptoException.throwIt(CryptoException.NO_SUCH_ALGORITHM);
    }
    return Signature.getInstance(algorithm, external);
  }

  public static MessageDigest getInstance(byte algorithm, boolean external) {
    MessageDigest digest = MessageDigest.getInstance(algorithm, external);
    card().engines.register(digest);
    return digest;
  }

  // --- API calls with an output array. Into EEPROM they write octet by octet and outside any transaction. The
  // specification promises neither atomicity nor rollback, so an applet must not rely on them.

  private interface Call {
    int into(byte[] out);
  }

  private static int output(byte[] out, int offset, Call call) {
    Eeprom eeprom = eeprom();
    if (!eeprom.isPersistent(out)) {
      return call.into(out);
    }
    byte[] room = out.clone();
    int length = call.into(room);
    eeprom.copyNonAtomic(room, offset, out, offset, length);
    return length;
  }

  public static short update(Cipher cipher, byte[] in, short inOffset, short length, byte[] out, short offset) {
    card().callEngine();
    return (short) output(out, offset, room -> cipher.update(in, inOffset, length, room, offset));
  }

  public static void update(Signature signature, byte[] in, short offset, short length) {
    card().callEngine();
    signature.update(in, offset, length);
  }

  public static short doFinal(Cipher cipher, byte[] in, short inOffset, short length, byte[] out, short offset) {
    card().callEngine();
    return (short) output(out, offset, room -> cipher.doFinal(in, inOffset, length, room, offset));
  }

  public static short doFinal(MessageDigest digest, byte[] in, short inOffset, short length, byte[] out, short offset) {
    card().callEngine();
    return (short) output(out, offset, room -> digest.doFinal(in, inOffset, length, room, offset));
  }

  public static short sign(Signature signature, byte[] in, short inOffset, short length, byte[] out, short offset) {
    card().callEngine();
    return (short) output(out, offset, room -> signature.sign(in, inOffset, length, room, offset));
  }

  public static void generateData(RandomData random, byte[] out, short offset, short length) {
    output(out, offset, room -> {
      random.generateData(room, offset, length);
      return length;
    });
  }

  public static byte getKey(AESKey key, byte[] out, short offset) {
    return (byte) output(out, offset, room -> key.getKey(room, offset) & 0xFF);
  }

  public static byte getKey(DESKey key, byte[] out, short offset) {
    return (byte) output(out, offset, room -> key.getKey(room, offset) & 0xFF);
  }

  public static byte getKey(HMACKey key, byte[] out, short offset) {
    return (byte) output(out, offset, room -> key.getKey(room, offset) & 0xFF);
  }

  public static byte getBytes(AID aid, byte[] out, short offset) {
    return (byte) output(out, offset, room -> aid.getBytes(room, offset));
  }

  public static byte getPartialBytes(AID aid, short from, byte[] out, short offset, byte length) {
    return (byte) output(out, offset, room -> aid.getPartialBytes(from, room, offset, length));
  }
}
