package tollcast.runner.runtime;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import org.objectweb.asm.ClassReader;

/**
 * Loads the rewritten applet package and OwnerPIN for one card alone, so that the card has its own statics and PIN
 * counters. Everything else comes from the runner.
 */
public final class AppletLoader extends ClassLoader {
  private static final String OWNER_PIN = "javacard.framework.OwnerPIN";
  private static final int CONSTANT_CLASS = 7;
  /** Class files by name, shared by all cards. A test puts others in. */
  public static final ConcurrentHashMap<String, byte[]> REWRITTEN = new ConcurrentHashMap<>();

  private final String appletClass;
  private final String prefix;

  /** @throws IllegalArgumentException for a class that is not there or is in no package */
  public AppletLoader(String appletClass) {
    super(AppletLoader.class.getClassLoader());
    int dot = appletClass.lastIndexOf('.');
    if (dot < 0) {
      throw new IllegalArgumentException("applet class " + appletClass + " is in no package: give its full name");
    }
    this.appletClass = appletClass;
    prefix = appletClass.substring(0, dot + 1);
    if (getParent().getResource(file(appletClass)) == null) {
      throw new IllegalArgumentException("applet class " + appletClass + " is not on the class path: build the applet "
          + "module (mvn -f card-sim/pom.xml package) or name another with --applet");
    }
  }

  private static String file(String name) {
    return name.replace('.', '/') + ".class";
  }

  public boolean owns(String name) {
    return name.startsWith(prefix) || name.equals(OWNER_PIN);
  }

  @Override
  protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
    if (!owns(name)) {
      return super.loadClass(name, resolve);
    }
    synchronized (getClassLoadingLock(name)) {
      Class<?> loaded = findLoadedClass(name);
      if (loaded == null) {
        byte[] code = REWRITTEN.get(name);
        if (code == null) {
          code = AppletRewriter.rewrite(read(name));
          REWRITTEN.put(name, code);
        }
        loaded = defineClass(name, code, 0, code.length);
      }
      return loaded;
    }
  }

  private byte[] read(String name) throws ClassNotFoundException {
    try (InputStream in = getParent().getResourceAsStream(file(name))) {
      if (in == null) {
        throw new ClassNotFoundException(name);
      }
      return in.readAllBytes();
    } catch (IOException e) {
      throw new ClassNotFoundException(name, e);
    }
  }

  /** The applet's class and all of its package that it reaches, initialised, in the order of their names. */
  public List<Class<?>> appletClasses() throws ClassNotFoundException {
    Collection<String> names = new TreeSet<>(List.of(appletClass));
    Deque<String> open = new ArrayDeque<>(names);
    while (!open.isEmpty()) {
      for (String name : classesNamedIn(read(open.pop()))) {
        if (name.startsWith(prefix) && names.add(name)) {
          open.push(name);
        }
      }
    }
    List<Class<?>> classes = new ArrayList<>();
    for (String name : names) {
      classes.add(Class.forName(name, true, this));
    }
    return classes;
  }

  private static List<String> classesNamedIn(byte[] code) {
    ClassReader reader = new ClassReader(code);
    char[] room = new char[reader.getMaxStringLength()];
    List<String> names = new ArrayList<>();
    for (int i = 1; i < reader.getItemCount(); i++) {
      int item = reader.getItem(i);
      if (item != 0 && reader.readByte(item - 1) == CONSTANT_CLASS) {
        String name = reader.readUTF8(item, room);
        names.add(name.substring(name.lastIndexOf('[') + 1).replaceFirst("^L(.*);$", "$1").replace('/', '.'));
      }
    }
    return names;
  }
}
