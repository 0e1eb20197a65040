package tollcast.runner;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.Opcodes;
import org.objectweb.asm.Type;
import org.objectweb.asm.tree.AbstractInsnNode;
import org.objectweb.asm.tree.ClassNode;
import org.objectweb.asm.tree.MethodInsnNode;
import org.objectweb.asm.tree.MethodNode;
import org.objectweb.asm.tree.analysis.Analyzer;
import org.objectweb.asm.tree.analysis.AnalyzerException;
import org.objectweb.asm.tree.analysis.BasicInterpreter;
import org.objectweb.asm.tree.analysis.BasicValue;
import org.objectweb.asm.tree.analysis.Frame;

/**
 * The Java stack that an applet's methods need, counted from their classes. A local variable and an operand are a word
 * of two octets; a caller's arguments are its callee's first locals.
 */
final class AppletStack {
  /** Octets on the stack, and the calls that lead there. */
  record Depth(int octets, String path) {
    private static final Depth NONE = new Depth(0, "");

    private Depth below(String method, int octets) {
      return new Depth(this.octets + octets, path.isEmpty() ? method : method + " > " + path);
    }
  }

  private static final int WORD = 2;

  private final int frameOctets;
  private final Map<String, Integer> calls;
  private final Set<String> unused;
  private final Map<String, ClassNode> classes = new HashMap<>();
  private final Map<String, Depth> depths = new HashMap<>();

  /**
   * @param classFiles folder of the applet's classes
   * @param frameOctets what a virtual machine puts on the stack for a call
   * @param calls octets that a method of the API takes, by its class and name; 0 for the others
   * @param unused methods of the applet that this virtual machine never calls, by class and name
   */
  AppletStack(Path classFiles, int frameOctets, Map<String, Integer> calls, Set<String> unused) throws IOException {
    this.frameOctets = frameOctets;
    this.calls = calls;
    this.unused = unused;
    try (Stream<Path> files = Files.walk(classFiles)) {
      for (Path file : (Iterable<Path>) files.filter(path -> path.toString().endsWith(".class"))::iterator) {
        ClassNode node = new ClassNode();
        new ClassReader(Files.readAllBytes(file)).accept(node, ClassReader.SKIP_DEBUG);
        classes.put(node.name, node);
      }
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  /** The deepest stack of a method of the applet. */
  Depth of(String owner, String name, String descriptor) {
    String key = owner + "." + name + descriptor;
    Depth known = depths.get(key);
    if (known != null) {
      return known;
    }
    // The applet does not call itself in circles; if it did, this would count a circle once.
    depths.put(key, Depth.NONE);
    Depth depth = compute(owner, findMethod(owner, name, descriptor));
    depths.put(key, depth);
    return depth;
  }

  private MethodNode findMethod(String owner, String name, String descriptor) {
    return classes.get(owner).methods.stream()
        .filter(method -> method.name.equals(name) && method.desc.equals(descriptor)).findFirst().orElseThrow();
  }

  private Depth compute(String owner, MethodNode method) {
    Frame<BasicValue>[] frames;
    try {
      frames = new Analyzer<>(new BasicInterpreter()).analyze(owner, method);
    } catch (AnalyzerException e) {
      throw new IllegalStateException(e);
    }
    String own = owner.substring(owner.lastIndexOf('/') + 1) + "." + method.name;
    int base = frameOctets + WORD * method.maxLocals;
    Depth deepest = Depth.NONE.below(own, base + WORD * method.maxStack);
    AbstractInsnNode[] instructions = method.instructions.toArray();
    for (int i = 0; i < instructions.length; i++) {
      if (frames[i] == null || !(instructions[i] instanceof MethodInsnNode call) || unused.contains(nameOf(call))) {
        continue;
      }
      int arguments = Type.getArgumentTypes(call.desc).length + (call.getOpcode() == Opcodes.INVOKESTATIC ? 0 : 1);
      int below = base + WORD * (frames[i].getStackSize() - arguments);
      Depth callee = isInApplet(call) ? of(call.owner, call.name, call.desc)
          : new Depth(calls.getOrDefault(nameOf(call), 0) + WORD * arguments, nameOf(call));
      deepest = Stream.of(deepest, callee.below(own, below))
          .max(Comparator.comparingInt(Depth::octets)).orElseThrow();
    }
    return deepest;
  }

  private boolean isInApplet(MethodInsnNode call) {
    ClassNode owner = classes.get(call.owner);
    return owner != null && owner.methods.stream()
        .anyMatch(method -> method.name.equals(call.name) && method.desc.equals(call.desc));
  }

  private static String nameOf(MethodInsnNode call) {
    return call.owner.substring(call.owner.lastIndexOf('/') + 1) + "." + call.name;
  }
}
