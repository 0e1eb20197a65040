package tollcast.runner.runtime;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Which fields of the applet's classes are EEPROM, in an order that does not depend on the virtual machine. */
public final class AppletLayout {
  /** Octets of a fingerprint. */
  public static final int FINGERPRINT = 32;

  private static final ClassValue<Field[]> INSTANCE_FIELDS = new ClassValue<>() {
    @Override
    protected Field[] computeValue(Class<?> type) {
      List<Field> fields = new ArrayList<>();
      for (Class<?> at = type; at.getClassLoader() instanceof AppletLoader; at = at.getSuperclass()) {
        fields.addAll(declared(at, false));
      }
      return fields.toArray(new Field[0]);
    }
  };

  private static final ClassValue<Field[]> STATICS = new ClassValue<>() {
    @Override
    protected Field[] computeValue(Class<?> type) {
      return declared(type, true).toArray(new Field[0]);
    }
  };

  private AppletLayout() {}

  /** The instance fields of an object of this class, inherited ones included. */
  public static Field[] fields(Class<?> type) {
    return INSTANCE_FIELDS.get(type);
  }

  /** The static fields that this class itself declares, without constants. */
  public static Field[] statics(Class<?> type) {
    return STATICS.get(type);
  }

  private static List<Field> declared(Class<?> type, boolean wantStatic) {
    List<Field> fields = new ArrayList<>();
    for (Field field : type.getDeclaredFields()) {
      int modifiers = field.getModifiers();
      boolean constant = Modifier.isStatic(modifiers) && Modifier.isFinal(modifiers) && field.getType().isPrimitive();
      if (Modifier.isStatic(modifiers) == wantStatic && !constant) {
        field.setAccessible(true);
        fields.add(field);
      }
    }
    fields.sort(Comparator.comparing(Field::getName));
    return fields;
  }

  /** SHA-256 over names, parents and fields of the classes. */
  public static byte[] fingerprint(List<Class<?>> classes) {
    StringBuilder text = new StringBuilder();
    for (Class<?> type : classes) {
      text.append(type.getName()).append(" < ").append(type.isInterface() ? "" : type.getSuperclass().getName());
      for (boolean ofClass : new boolean[] {true, false}) {
        for (Field field : declared(type, ofClass)) {
          text.append('\n').append(ofClass ? "static " : "").append(field.getType().getName());
          text.append(' ').append(field.getName());
        }
      }
      text.append('\n');
    }
    try {
      return MessageDigest.getInstance("SHA-256").digest(text.toString().getBytes(StandardCharsets.UTF_8));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
