package tollcast.runner.runtime;

import com.licel.jcardsim.crypto.SymmetricCipherImpl;
import com.licel.jcardsim.crypto.SymmetricKeyImpl;
import com.licel.jcardsim.crypto.SymmetricSignatureImpl;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Map;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.function.Predicate;
import javacard.framework.JCSystem;
import javacard.security.Key;
import javacard.security.MessageDigest;
import javacard.security.Signature;
import javacardx.crypto.Cipher;
import tollcast.runner.card.Card;
import tollcast.runner.memory.CardRam;

/**
 * The initialised Cipher, Signature and MessageDigest objects of one card. Java Card 2.2.2, Cipher: a reset puts an
 * initialised object back to the state of its init, and one initialised with a transient key to uninitialised.
 */
public final class Engines {
  /** How a Cipher or Signature was last initialised; {@code iv} null where none was given. */
  public record Init(SymmetricKeyImpl key, byte mode, byte[] iv) {
    public boolean hasTransientKey() {
      return CardRam.eventOf(key.getType()) != JCSystem.NOT_A_TRANSIENT_OBJECT;
    }
  }

  private final Map<Object, Init> initialised = new WeakHashMap<>();
  private final Set<MessageDigest> digests = Collections.newSetFromMap(new WeakHashMap<>());

  public void init(Object engine, Key key, byte mode, byte[] iv, short offset, short length) {
    if (iv == null) {
      if (engine instanceof Cipher cipher) {
        cipher.init(key, mode);
      } else {
        ((Signature) engine).init(key, mode);
      }
    } else if (engine instanceof Cipher cipher) {
      cipher.init(key, mode, iv, offset, length);
    } else {
      ((Signature) engine).init(key, mode, iv, offset, length);
    }
    byte[] copy = iv == null ? null : Arrays.copyOfRange(iv, offset, offset + length);
    initialised.put(engine, new Init((SymmetricKeyImpl) key, mode, copy));
  }

  /** How an object was initialised, or null. */
  public Init initOf(Object engine) {
    return initialised.get(engine);
  }

  public void register(MessageDigest digest) {
    digests.add(digest);
  }

  /** What a reset does to the objects, as the class comment says. */
  void reset() {
    digests.forEach(MessageDigest::reset);
    reinitialise(init -> true);
  }

  /** Follows keys that changed without a call of init: cleared transient keys, persistent keys rolled back. */
  void reinitialise(Predicate<Init> which) {
    for (Map.Entry<Object, Init> entry : new ArrayList<>(initialised.entrySet())) {
      Object engine = entry.getKey();
      Init init = entry.getValue();
      if (!which.test(init)) {
        continue;
      }
      if (!init.key.isInitialized()) {
        initialised.remove(engine);
        uninitialise(engine);
      } else if (!init.hasTransientKey()) {
        init(engine, init.key, init.mode, init.iv, (short) 0, (short) (init.iv == null ? 0 : init.iv.length));
      }
    }
  }

  /** Makes every object uninitialised. */
  void forget() {
    initialised.keySet().forEach(Engines::uninitialise);
    initialised.clear();
    digests.forEach(MessageDigest::reset);
  }

  private static void uninitialise(Object engine) {
    try {
      (engine instanceof Cipher ? CIPHER_INITIALISED : SIGNATURE_INITIALISED).setBoolean(engine, false);
    } catch (IllegalAccessException e) {
      throw new IllegalStateException(e);
    }
  }

  private static final Field CIPHER_INITIALISED = field(SymmetricCipherImpl.class);
  private static final Field SIGNATURE_INITIALISED = field(SymmetricSignatureImpl.class);

  private static Field field(Class<?> type) {
    try {
      Field field = type.getDeclaredField("isInitialized");
      field.setAccessible(true);
      return field;
    } catch (NoSuchFieldException e) {
      throw new IllegalStateException("another jCardSim than the one this runner was written for", e);
    }
  }
}
