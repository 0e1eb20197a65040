package tollcast.runner.image;

import com.licel.jcardsim.crypto.ECKeyImpl;
import com.licel.jcardsim.crypto.SymmetricKeyImpl;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.reflect.Field;
import java.util.IdentityHashMap;
import java.util.Map;
import javacard.framework.AID;
import javacard.framework.JCSystem;
import javacard.security.KeyAgreement;
import javacard.security.KeyPair;
import javacard.security.MessageDigest;
import javacard.security.RandomData;
import javacard.security.Signature;
import javacardx.crypto.Cipher;
import tollcast.runner.memory.CardRam;
import tollcast.runner.memory.Eeprom;
import tollcast.runner.memory.KeyPairMemory;
import tollcast.runner.runtime.AppletLayout;
import tollcast.runner.runtime.AppletLoader;
import tollcast.runner.runtime.CardRuntime;
import tollcast.runner.runtime.Engines;

/** Writes objects of the applet and all they reach; an object that comes again is written as its number. */
final class GraphWriter {
  static final int NULL = 0;
  static final int AGAIN = 1;
  static final int OBJECT = 2;
  static final int ARRAY = 3;
  static final int KEY = 4;
  static final int CIPHER = 5;
  static final int SIGNATURE = 6;
  static final int DIGEST = 7;
  static final int RANDOM = 8;
  static final int AN_AID = 9;
  static final int EC_KEY = 10;
  static final int KEY_PAIR = 11;
  static final int AGREEMENT = 12;

  private final DataOutputStream out;
  private final CardRuntime card;
  private final AppletLoader loader;
  private final Map<Object, Integer> numbers = new IdentityHashMap<>();

  GraphWriter(DataOutputStream out, CardRuntime card, AppletLoader loader) {
    this.out = out;
    this.card = card;
    this.loader = loader;
  }

  void field(Object target, Field field) throws IOException, IllegalAccessException {
    Class<?> type = field.getType();
    if (type == byte.class) {
      out.writeByte(field.getByte(target));
    } else if (type == boolean.class) {
      out.writeBoolean(field.getBoolean(target));
    } else if (type == short.class) {
      out.writeShort(field.getShort(target));
    } else if (type == int.class) {
      out.writeInt(field.getInt(target));
    } else {
      reference(field.get(target));
    }
  }

  void reference(Object object) throws IOException, IllegalAccessException {
    if (object == null) {
      out.writeByte(NULL);
      return;
    }
    Integer number = numbers.putIfAbsent(object, numbers.size());
    if (number != null) {
      out.writeByte(AGAIN);
      out.writeInt(number);
    } else if (object.getClass().isArray()) {
      array(object);
    } else if (object instanceof SymmetricKeyImpl key) {
      key(key);
    } else if (object instanceof ECKeyImpl key) {
      out.writeByte(EC_KEY);
      KeyPairMemory.write(out, key);
    } else if (object instanceof KeyPair pair) {
      out.writeByte(KEY_PAIR);
      reference(pair.getPublic());
      reference(pair.getPrivate());
    } else if (object instanceof KeyAgreement agreement) {
      out.writeByte(AGREEMENT);
      out.writeByte(agreement.getAlgorithm());
    } else if (object instanceof Cipher cipher) {
      out.writeByte(CIPHER);
      out.writeByte(cipher.getAlgorithm());
      init(cipher);
    } else if (object instanceof Signature signature) {
      out.writeByte(SIGNATURE);
      out.writeByte(signature.getAlgorithm());
      init(signature);
    } else if (object instanceof MessageDigest digest) {
      out.writeByte(DIGEST);
      out.writeByte(digest.getAlgorithm());
    } else if (object instanceof RandomData random) {
      out.writeByte(RANDOM);
      out.writeByte(random.getAlgorithm());
    } else if (object instanceof AID aid) {
      byte[] octets = new byte[16];
      byte length = aid.getBytes(octets, (short) 0);
      out.writeByte(AN_AID);
      out.writeByte(length);
      out.write(octets, 0, length);
    } else if (loader.owns(object.getClass().getName())) {
      out.writeByte(OBJECT);
      out.writeUTF(object.getClass().getName());
      for (Field field : AppletLayout.fields(object.getClass())) {
        field(object, field);
      }
    } else {
      throw new IOException("an object of " + object.getClass().getName()
          + " in EEPROM cannot be saved; add it to GraphWriter");
    }
  }

  private void array(Object object) throws IOException, IllegalAccessException {
    byte event = card.ram.isTransient(object);
    boolean persistent = event == JCSystem.NOT_A_TRANSIENT_OBJECT;
    out.writeByte(ARRAY);
    out.writeByte(event);
    out.writeUTF(object.getClass().getComponentType().getName());
    if (object instanceof byte[] octets) {
      out.writeInt(octets.length);
      if (persistent) {
        out.write(octets);
      }
    } else if (object instanceof boolean[] flags) {
      out.writeInt(flags.length);
      for (int i = 0; persistent && i < flags.length; i++) {
        out.writeBoolean(flags[i]);
      }
    } else if (object instanceof short[] shorts) {
      out.writeInt(shorts.length);
      for (int i = 0; persistent && i < shorts.length; i++) {
        out.writeShort(shorts[i]);
      }
    } else if (object instanceof Object[] references) {
      out.writeInt(references.length);
      for (int i = 0; persistent && i < references.length; i++) {
        reference(references[i]);
      }
    } else {
      throw new IOException("an array of " + object.getClass().getComponentType()
          + " cannot be saved; an applet has octets, booleans, shorts and references");
    }
  }

  private void key(SymmetricKeyImpl key) throws IOException {
    boolean persistent = CardRam.eventOf(key.getType()) == JCSystem.NOT_A_TRANSIENT_OBJECT;
    byte[] octets = persistent ? Eeprom.octetsOf(key) : null;
    out.writeByte(KEY);
    out.writeByte(key.getType());
    out.writeShort(key.getSize());
    out.writeByte(octets == null ? 0 : octets.length);
    if (octets != null) {
      out.write(octets);
    }
  }

  private void init(Object engine) throws IOException, IllegalAccessException {
    Engines.Init init = card.engines.initOf(engine);
    boolean kept = init != null && !init.hasTransientKey();
    out.writeBoolean(kept);
    if (kept) {
      reference(init.key());
      out.writeByte(init.mode());
      out.writeByte(init.iv() == null ? 0 : init.iv().length);
      if (init.iv() != null) {
        out.write(init.iv());
      }
    }
  }
}
