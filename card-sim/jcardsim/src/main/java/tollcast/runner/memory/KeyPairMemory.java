package tollcast.runner.memory;

import com.licel.jcardsim.crypto.ECKeyImpl;
import com.licel.jcardsim.crypto.KeyPairImpl;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.reflect.Field;
import java.security.SecureRandom;
import java.util.Arrays;
import javacard.security.ECKey;
import javacard.security.ECPrivateKey;
import javacard.security.ECPublicKey;
import javacard.security.Key;
import javacard.security.KeyBuilder;
import javacard.security.KeyPair;

/** Elliptic curve keys over a prime field in EEPROM: how they are written, and how an image holds them. */
public final class KeyPairMemory {
  /** Octets of the longest value, an uncompressed point of 521 bits. */
  private static final int MAX_VALUE = 133;

  private static final SecureRandom RANDOM = new SecureRandom();
  private static final Field IMPLEMENTATION = field(KeyPair.class, "impl");
  private static final Field RANDOM_OF = field(KeyPairImpl.class, "rnd");

  private KeyPairMemory() {}

  private static Field field(Class<?> type, String name) {
    try {
      Field field = type.getDeclaredField(name);
      field.setAccessible(true);
      return field;
    } catch (NoSuchFieldException e) {
      throw new IllegalStateException("another jCardSim than the one this runner was written for", e);
    }
  }

  /** The secret or the point of a key; null if it has none. */
  private static byte[] valueOf(ECKey key) {
    if (!((Key) key).isInitialized()) {
      return null;
    }
    byte[] room = new byte[MAX_VALUE];
    short length = key instanceof ECPrivateKey secret ? secret.getS(room, (short) 0)
        : ((ECPublicKey) key).getW(room, (short) 0);
    return Arrays.copyOf(room, length);
  }

  private static void setValue(ECKey key, byte[] value) {
    if (key instanceof ECPrivateKey secret) {
      secret.setS(value, (short) 0, (short) value.length);
    } else {
      ((ECPublicKey) key).setW(value, (short) 0, (short) value.length);
    }
  }

  /** Sets a key by one write, all of it or nothing. An abort undoes it unless the key had no value. */
  public static void set(Eeprom eeprom, ECKey key, int octets, Runnable write) {
    byte[] old = valueOf(key);
    eeprom.write(octets, write, () -> {
      if (old != null) {
        setValue(key, old);
      }
    });
  }

  /** jCardSim never seeds its own generator, so every card would make the same pairs. */
  private static void useRealRandomness(KeyPair pair) {
    try {
      RANDOM_OF.set(IMPLEMENTATION.get(pair), RANDOM);
    } catch (IllegalAccessException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * Puts leading zeros before a value. jCardSim leaves them out of a secret that it makes, and then reads the secret
   * with the last octets of the longer one before, so that one pair in 256 would not fit together.
   */
  private static byte[] widen(byte[] value, int octets) {
    byte[] whole = new byte[octets];
    System.arraycopy(value, 0, whole, octets - value.length, value.length);
    return whole;
  }

  /** Generates a pair by two writes, the secret first. Between them the halves do not belong together. */
  public static void generate(Eeprom eeprom, KeyPair pair) {
    useRealRandomness(pair);
    ECKey secret = (ECKey) pair.getPrivate();
    ECKey point = (ECKey) pair.getPublic();
    byte[] old = valueOf(point);
    int octets = ((Key) secret).getSize() / 8;
    set(eeprom, secret, octets, () -> {
      pair.genKeyPair();
      setValue(secret, widen(valueOf(secret), octets));
    });
    byte[] made = valueOf(point);
    if (old != null) {
      setValue(point, old);
    }
    set(eeprom, point, made.length, () -> setValue(point, made));
  }

  /**
   * Writes type, size, field, a, b, base point, order, cofactor and value of a key. Each but type, size and cofactor
   * stands behind its length.
   */
  public static void write(DataOutputStream out, ECKeyImpl key) throws IOException {
    out.writeByte(key.getType());
    out.writeShort(key.getSize());
    byte[] room = new byte[MAX_VALUE];
    octets(out, room, key.getField(room, (short) 0));
    octets(out, room, key.getA(room, (short) 0));
    octets(out, room, key.getB(room, (short) 0));
    octets(out, room, key.getG(room, (short) 0));
    octets(out, room, key.getR(room, (short) 0));
    out.writeShort(key.getK());
    byte[] value = valueOf(key);
    octets(out, value, value == null ? 0 : value.length);
  }

  private static void octets(DataOutputStream out, byte[] octets, int length) throws IOException {
    out.writeByte(length);
    if (length > 0) {
      out.write(octets, 0, length);
    }
  }

  public static ECKeyImpl read(DataInputStream in) throws IOException {
    ECKeyImpl key = (ECKeyImpl) KeyBuilder.buildKey(in.readByte(), in.readShort(), false);
    byte[] octets = octets(in);
    key.setFieldFP(octets, (short) 0, (short) octets.length);
    octets = octets(in);
    key.setA(octets, (short) 0, (short) octets.length);
    octets = octets(in);
    key.setB(octets, (short) 0, (short) octets.length);
    octets = octets(in);
    key.setG(octets, (short) 0, (short) octets.length);
    octets = octets(in);
    key.setR(octets, (short) 0, (short) octets.length);
    key.setK(in.readShort());
    octets = octets(in);
    if (octets.length > 0) {
      setValue(key, octets);
    }
    return key;
  }

  private static byte[] octets(DataInputStream in) throws IOException {
    return in.readNBytes(in.readUnsignedByte());
  }
}
