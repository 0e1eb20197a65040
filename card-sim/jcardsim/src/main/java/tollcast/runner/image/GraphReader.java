package tollcast.runner.image;

import com.licel.jcardsim.crypto.SymmetricKeyImpl;
import java.io.DataInputStream;
import java.io.IOException;
import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javacard.framework.AID;
import javacard.framework.JCSystem;
import javacard.security.Key;
import javacard.security.KeyAgreement;
import javacard.security.KeyBuilder;
import javacard.security.KeyPair;
import javacard.security.MessageDigest;
import javacard.security.PrivateKey;
import javacard.security.PublicKey;
import javacard.security.RandomData;
import javacard.security.Signature;
import javacardx.crypto.Cipher;
import sun.reflect.ReflectionFactory;
import tollcast.runner.memory.Eeprom;
import tollcast.runner.memory.KeyPairMemory;
import tollcast.runner.runtime.AppletLayout;
import tollcast.runner.runtime.AppletLoader;
import tollcast.runner.runtime.CardRuntime;

/** Reads back what {@link GraphWriter} wrote. */
final class GraphReader {
  private static final Map<String, Class<?>> PRIMITIVES =
      Map.of("byte", byte.class, "boolean", boolean.class, "short", short.class);

  private final DataInputStream in;
  private final CardRuntime card;
  private final AppletLoader loader;
  private final List<Object> objects = new ArrayList<>();

  GraphReader(DataInputStream in, CardRuntime card, AppletLoader loader) {
    this.in = in;
    this.card = card;
    this.loader = loader;
  }

  void field(Object target, Field field) throws IOException, ReflectiveOperationException {
    Class<?> type = field.getType();
    if (type == byte.class) {
      field.setByte(target, in.readByte());
    } else if (type == boolean.class) {
      field.setBoolean(target, in.readBoolean());
    } else if (type == short.class) {
      field.setShort(target, in.readShort());
    } else if (type == int.class) {
      field.setInt(target, in.readInt());
    } else if (Modifier.isStatic(field.getModifiers()) && Modifier.isFinal(field.getModifiers())) {
      // A static final field keeps its object, so the object is filled and not replaced.
      reference(field.get(null));
    } else {
      field.set(target, reference(null));
    }
  }

  /** @param there the array or object to fill, or null to make one */
  Object reference(Object there) throws IOException, ReflectiveOperationException {
    int kind = in.readUnsignedByte();
    switch (kind) {
      case GraphWriter.NULL:
        return null;
      case GraphWriter.AGAIN:
        return objects.get(in.readInt());
      case GraphWriter.OBJECT:
        return object(there);
      case GraphWriter.ARRAY:
        return array(there);
      case GraphWriter.CIPHER:
      case GraphWriter.SIGNATURE:
        byte algorithm = in.readByte();
        Object engine = kind == GraphWriter.CIPHER
            ? Cipher.getInstance(algorithm, false)
            : Signature.getInstance(algorithm, false);
        objects.add(engine);
        init(engine);
        return engine;
      case GraphWriter.KEY_PAIR:
        // A pair has its number before its keys have theirs.
        int number = objects.size();
        objects.add(null);
        KeyPair pair = new KeyPair((PublicKey) reference(null), (PrivateKey) reference(null));
        objects.set(number, pair);
        return pair;
      default:
        Object leaf = leaf(kind);
        objects.add(leaf);
        return leaf;
    }
  }

  private Object object(Object there) throws IOException, ReflectiveOperationException {
    String name = in.readUTF();
    if (!loader.owns(name)) {
      throw new IOException("class " + name + " is not the applet's");
    }
    Object object = there;
    if (object == null) {
      // Like deserialisation it makes the object without running a constructor of the applet.
      Constructor<?> make = ReflectionFactory.getReflectionFactory()
          .newConstructorForSerialization(loader.loadClass(name), Object.class.getDeclaredConstructor());
      object = make.newInstance();
    }
    objects.add(object);
    for (Field field : AppletLayout.fields(object.getClass())) {
      field(object, field);
    }
    return object;
  }

  private Object array(Object there) throws IOException, ReflectiveOperationException {
    byte event = in.readByte();
    String name = in.readUTF();
    Class<?> component = PRIMITIVES.containsKey(name) ? PRIMITIVES.get(name) : Class.forName(name, false, loader);
    int length = in.readInt();
    if (length < 0 || length > Short.MAX_VALUE) {
      throw new IOException("array of " + length + " elements");
    }
    Object array = there == null ? Array.newInstance(component, length) : there;
    objects.add(array);
    if (event != JCSystem.NOT_A_TRANSIENT_OBJECT) {
      return card.ram.register(array, event);
    }
    if (array instanceof byte[] octets) {
      in.readFully(octets);
    } else if (array instanceof boolean[] flags) {
      for (int i = 0; i < length; i++) {
        flags[i] = in.readBoolean();
      }
    } else if (array instanceof short[] shorts) {
      for (int i = 0; i < length; i++) {
        shorts[i] = in.readShort();
      }
    } else {
      for (int i = 0; i < length; i++) {
        ((Object[]) array)[i] = reference(null);
      }
    }
    return array;
  }

  private Object leaf(int kind) throws IOException {
    switch (kind) {
      case GraphWriter.KEY:
        Key key = KeyBuilder.buildKey(in.readByte(), in.readShort(), false);
        byte[] octets = in.readNBytes(in.readUnsignedByte());
        if (octets.length > 0) {
          Eeprom.restore((SymmetricKeyImpl) key, octets);
        }
        card.ram.register((SymmetricKeyImpl) key);
        return key;
      case GraphWriter.EC_KEY:
        return KeyPairMemory.read(in);
      case GraphWriter.AGREEMENT:
        return KeyAgreement.getInstance(in.readByte(), false);
      case GraphWriter.DIGEST:
        MessageDigest digest = MessageDigest.getInstance(in.readByte(), false);
        card.engines.register(digest);
        return digest;
      case GraphWriter.RANDOM:
        return RandomData.getInstance(in.readByte());
      case GraphWriter.AN_AID:
        byte[] aid = in.readNBytes(in.readUnsignedByte());
        return new AID(aid, (short) 0, (byte) aid.length);
      default:
        throw new IOException("unknown kind " + kind);
    }
  }

  private void init(Object engine) throws IOException, ReflectiveOperationException {
    if (in.readBoolean()) {
      Key key = (Key) reference(null);
      byte mode = in.readByte();
      byte[] iv = in.readNBytes(in.readUnsignedByte());
      card.engines.init(engine, key, mode, iv.length == 0 ? null : iv, (short) 0, (short) iv.length);
    }
  }
}
