package tollcast.runner.memory;

import com.licel.jcardsim.base.TransientMemory;
import com.licel.jcardsim.crypto.SymmetricKeyImpl;
import java.lang.reflect.Array;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import javacard.framework.JCSystem;
import javacard.framework.SystemException;
import javacard.security.KeyBuilder;

/**
 * The RAM of one card: the transient arrays and transient keys that the applet made. What jCardSim makes for itself,
 * two arrays per Cipher.init, is not registered, so the garbage collector takes it.
 */
public final class CardRam extends TransientMemory {
  private final int limit;
  private int octets;
  private int deselectOctets;
  private final Map<Object, Byte> arrays = new IdentityHashMap<>();
  private final List<SymmetricKeyImpl> keys = new ArrayList<>();

  /** @param limit octets of RAM the applet may take; 0 for no limit */
  public CardRam(int limit) {
    this.limit = limit;
  }

  /** How many octets the applet's transient arrays and keys take; a reference takes 2. */
  public int octets() {
    return octets;
  }

  /** How many of them a deselect clears. */
  public int deselectOctets() {
    return deselectOctets;
  }

  public int free() {
    return limit == 0 ? Short.MAX_VALUE : Math.min(Short.MAX_VALUE, limit - octets);
  }

  /** @throws SystemException ILLEGAL_VALUE for another event, NO_TRANSIENT_SPACE above the limit */
  public <T> T register(T array, byte event) {
    if (event != JCSystem.CLEAR_ON_RESET && event != JCSystem.CLEAR_ON_DESELECT) {
      SystemException.throwIt(SystemException.ILLEGAL_VALUE);
    }
    take(Array.getLength(array) * (array instanceof byte[] || array instanceof boolean[] ? 1 : 2), event);
    arrays.put(array, event);
    return array;
  }

  /** Takes RAM for a transient key; a persistent one takes none. */
  public void register(SymmetricKeyImpl key) {
    byte event = eventOf(key.getType());
    if (event != JCSystem.NOT_A_TRANSIENT_OBJECT) {
      take(key.getSize() / 8, event);
      keys.add(key);
    }
  }

  private void take(int more, byte event) {
    if (limit != 0 && octets + more > limit) {
      SystemException.throwIt(SystemException.NO_TRANSIENT_SPACE);
    }
    octets += more;
    deselectOctets += event == JCSystem.CLEAR_ON_DESELECT ? more : 0;
  }

  public static byte eventOf(byte keyType) {
    return switch (keyType) {
      case KeyBuilder.TYPE_AES_TRANSIENT_RESET,
          KeyBuilder.TYPE_DES_TRANSIENT_RESET,
          KeyBuilder.TYPE_HMAC_TRANSIENT_RESET,
          KeyBuilder.TYPE_KOREAN_SEED_TRANSIENT_RESET -> JCSystem.CLEAR_ON_RESET;
      case KeyBuilder.TYPE_AES_TRANSIENT_DESELECT,
          KeyBuilder.TYPE_DES_TRANSIENT_DESELECT,
          KeyBuilder.TYPE_HMAC_TRANSIENT_DESELECT,
          KeyBuilder.TYPE_KOREAN_SEED_TRANSIENT_DESELECT -> JCSystem.CLEAR_ON_DESELECT;
      default -> JCSystem.NOT_A_TRANSIENT_OBJECT;
    };
  }

  @Override
  public byte isTransient(Object object) {
    Byte event = arrays.get(object);
    if (event != null) {
      return event;
    }
    return object instanceof SymmetricKeyImpl key ? eventOf(key.getType()) : JCSystem.NOT_A_TRANSIENT_OBJECT;
  }

  @Override
  protected void storeArray(Object array, byte event) {}

  @Override
  protected void clearOnDeselect() {
    clear(JCSystem.CLEAR_ON_DESELECT);
  }

  @Override
  protected void clearOnReset() {
    clear(JCSystem.CLEAR_ON_DESELECT);
    clear(JCSystem.CLEAR_ON_RESET);
  }

  private void clear(byte event) {
    arrays.forEach((array, eventOfArray) -> {
      if (eventOfArray == event) {
        zero(array);
      }
    });
    for (SymmetricKeyImpl key : keys) {
      if (eventOf(key.getType()) == event) {
        key.clearKey();
      }
    }
  }

  private static void zero(Object array) {
    if (array instanceof byte[] octets) {
      Arrays.fill(octets, (byte) 0);
    } else if (array instanceof short[] shorts) {
      Arrays.fill(shorts, (short) 0);
    } else if (array instanceof boolean[] flags) {
      Arrays.fill(flags, false);
    } else {
      Arrays.fill((Object[]) array, null);
    }
  }
}
