package tollcast.runner;

import static org.objectweb.asm.Opcodes.*;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.Type;
import org.objectweb.asm.tree.AbstractInsnNode;
import org.objectweb.asm.tree.ClassNode;
import org.objectweb.asm.tree.FieldInsnNode;
import org.objectweb.asm.tree.FieldNode;
import org.objectweb.asm.tree.IntInsnNode;
import org.objectweb.asm.tree.LdcInsnNode;
import org.objectweb.asm.tree.LineNumberNode;
import org.objectweb.asm.tree.LocalVariableNode;
import org.objectweb.asm.tree.MethodInsnNode;
import org.objectweb.asm.tree.MethodNode;
import org.objectweb.asm.tree.TypeInsnNode;
import tollcast.runner.card.Card;

/**
 * What in an applet's classes a Java Card 2.2.2 without int would not take, as far as bytecode shows it: a stricter
 * reading than the converter's in one point, each intermediate result must be cast, as the converter alone can tell
 * which need not. And memory taken anywhere but at installation, which a card never gives back.
 */
final class AppletScan {
  private static final Set<String> JAVA_LANG = Set.of("Object", "Throwable", "Exception", "RuntimeException",
      "ArithmeticException", "ArrayIndexOutOfBoundsException", "ArrayStoreException", "ClassCastException",
      "IndexOutOfBoundsException", "NegativeArraySizeException", "NullPointerException", "SecurityException");
  /** Where the runtime enters the applet after installation. */
  private static final Set<String> ENTRIES = Set.of("process", "select", "deselect", "uninstall",
      "getShareableInterfaceObject");
  private static final Set<String> MAKERS = Set.of("makeTransientByteArray", "makeTransientBooleanArray",
      "makeTransientShortArray", "makeTransientObjectArray", "buildKey", "getInstance");

  private final Map<String, ClassNode> classes = new TreeMap<>();
  private final List<String> findings = new ArrayList<>();

  private AppletScan() {}

  /** One line for each finding: Class.method:line what. */
  static List<String> of(Collection<byte[]> compiled) {
    AppletScan scan = new AppletScan();
    for (byte[] code : compiled) {
      ClassNode node = new ClassNode();
      new ClassReader(code).accept(node, ClassReader.SKIP_FRAMES);
      scan.classes.put(node.name, node);
    }
    scan.classes.values().forEach(scan::scanTypes);
    scan.scanAllocations();
    return scan.findings;
  }

  private void find(ClassNode in, MethodNode method, AbstractInsnNode at, String what) {
    String name = in.name.substring(in.name.lastIndexOf('/') + 1);
    AbstractInsnNode line = at;
    while (line != null && !(line instanceof LineNumberNode)) {
      line = line.getPrevious();
    }
    findings.add(name + (method == null ? "" : "." + method.name)
        + (line == null ? "" : ":" + ((LineNumberNode) line).line)
        + " " + what);
  }

  // --- types

  private void scanTypes(ClassNode in) {
    if (in.superName != null) {
      type(in, null, null, Type.getObjectType(in.superName));
    }
    in.interfaces.forEach(name -> type(in, null, null, Type.getObjectType(name)));
    for (FieldNode field : in.fields) {
      type(in, null, null, Type.getType(field.desc));
      if ((field.access & (ACC_VOLATILE | ACC_TRANSIENT)) != 0) {
        find(in, null, null, "volatile or transient field " + field.name);
      }
    }
    for (MethodNode method : in.methods) {
      if ((method.access & (ACC_SYNCHRONIZED | ACC_NATIVE)) != 0) {
        find(in, method, null, "synchronized or native method");
      }
      descriptor(in, method, null, method.desc);
      if (method.localVariables != null) {
        for (LocalVariableNode local : method.localVariables) {
          type(in, method, local.start, Type.getType(local.desc));
        }
      }
      method.tryCatchBlocks.stream().filter(block -> block.type != null)
          .forEach(block -> type(in, method, block.handler, Type.getObjectType(block.type)));
      for (AbstractInsnNode at : method.instructions) {
        instruction(in, method, at);
      }
    }
  }

  private void descriptor(ClassNode in, MethodNode method, AbstractInsnNode at, String descriptor) {
    type(in, method, at, Type.getReturnType(descriptor));
    for (Type argument : Type.getArgumentTypes(descriptor)) {
      type(in, method, at, argument);
    }
  }

  private void type(ClassNode in, MethodNode method, AbstractInsnNode at, Type type) {
    if (type.getSort() == Type.ARRAY) {
      if (type.getDimensions() > 1) {
        find(in, method, at, "array of arrays " + type.getClassName());
      }
      type(in, method, at, type.getElementType());
    } else if (type.getSort() == Type.OBJECT) {
      String name = type.getInternalName();
      boolean known = classes.containsKey(name) || name.startsWith("javacard/") || name.startsWith("javacardx/")
          || name.startsWith("java/lang/") && JAVA_LANG.contains(name.substring("java/lang/".length()));
      if (!known) {
        find(in, method, at, "foreign type " + type.getClassName());
      }
    } else if (Set.of(Type.INT, Type.LONG, Type.FLOAT, Type.DOUBLE, Type.CHAR).contains(type.getSort())) {
      find(in, method, at, "type " + type.getClassName());
    }
  }

  private void instruction(ClassNode in, MethodNode method, AbstractInsnNode at) {
    if (at instanceof MethodInsnNode call) {
      type(in, method, at, Type.getObjectType(call.owner));
      descriptor(in, method, at, call.desc);
    } else if (at instanceof FieldInsnNode access) {
      type(in, method, at, Type.getObjectType(access.owner));
      type(in, method, at, Type.getType(access.desc));
    } else if (at instanceof TypeInsnNode node) {
      type(in, method, at, Type.getObjectType(node.desc));
      if (node.getOpcode() == ANEWARRAY && node.desc.startsWith("[")) {
        find(in, method, at, "array of arrays");
      }
    } else if (at instanceof LdcInsnNode constant) {
      find(in, method, at, "constant " + constant.cst + " of more than 16 bits");
    } else if (at instanceof IntInsnNode node && node.getOpcode() == NEWARRAY
        && node.operand != T_BYTE && node.operand != T_SHORT && node.operand != T_BOOLEAN) {
      find(in, method, at, "array of a type other than octet, short, boolean");
    }
    switch (at.getOpcode()) {
      case IINC -> find(in, method, at, "type int (iinc)");
      case MULTIANEWARRAY -> find(in, method, at, "array of arrays");
      case INVOKEDYNAMIC -> find(in, method, at, "invokedynamic (lambda or string concatenation)");
      case MONITORENTER -> find(in, method, at, "synchronized block");
      case IALOAD, IASTORE, LALOAD, LASTORE, FALOAD, FASTORE, DALOAD, DASTORE, CALOAD, CASTORE, I2L, I2F, I2D, I2C, L2I,
          LCONST_0, LCONST_1, FCONST_0, FCONST_1, FCONST_2, DCONST_0, DCONST_1, LADD, LSUB, LMUL, LDIV, LREM, LCMP ->
        find(in, method, at, "int, char, long or floating point");
      case IADD, ISUB, IMUL, IDIV, IREM, INEG, ISHL, ISHR, IUSHR -> {
        int next = following(at);
        if (next != I2S && next != I2B) {
          find(in, method, at, "int intermediate: cast the result to short or byte");
        }
      }
      default -> { }
    }
  }

  /** The next real instruction, past labels and line numbers; octets may be masked before the cast. */
  private static int following(AbstractInsnNode at) {
    AbstractInsnNode next = at.getNext();
    while (next != null && next.getOpcode() < 0) {
      next = next.getNext();
    }
    return next == null ? -1 : next.getOpcode();
  }

  // --- allocation

  private record Method(ClassNode in, MethodNode node) {}

  private void scanAllocations() {
    Deque<Method> running = new ArrayDeque<>();
    Deque<Method> installing = new ArrayDeque<>();
    for (ClassNode in : classes.values()) {
      for (MethodNode method : in.methods) {
        if (method.name.equals("install") || method.name.equals("<clinit>")) {
          installing.add(new Method(in, method));
        } else if (ENTRIES.contains(method.name) && (method.access & ACC_STATIC) == 0) {
          running.add(new Method(in, method));
        }
      }
    }
    // A constructor at run time is itself the finding, so the search stops there.
    Set<MethodNode> atRunTime = reach(running, false);
    Set<MethodNode> atInstall = reach(installing, true);
    for (ClassNode in : classes.values()) {
      for (MethodNode method : in.methods) {
        String when = atRunTime.contains(method) ? " after installation" : atInstall.contains(method) ? null
            : " in a method that install does not reach";
        for (AbstractInsnNode at : method.instructions) {
          if (when != null && allocates(at)) {
            find(in, method, at, "takes memory" + when);
          }
        }
      }
    }
  }

  private static boolean allocates(AbstractInsnNode at) {
    return switch (at.getOpcode()) {
      case NEW, NEWARRAY, ANEWARRAY, MULTIANEWARRAY -> true;
      case INVOKESTATIC -> ((MethodInsnNode) at).owner.startsWith("javacard")
          && MAKERS.contains(((MethodInsnNode) at).name);
      default -> false;
    };
  }

  private Set<MethodNode> reach(Deque<Method> open, boolean constructors) {
    Set<MethodNode> reached = new HashSet<>();
    open.forEach(method -> reached.add(method.node));
    while (!open.isEmpty()) {
      for (AbstractInsnNode at : open.pop().node.instructions) {
        if (at instanceof MethodInsnNode call && (constructors || !call.name.equals("<init>"))) {
          for (Method target : targets(call)) {
            if (reached.add(target.node)) {
              open.push(target);
            }
          }
        }
      }
    }
    return reached;
  }

  /** The applet's methods which a call can arrive at: of the class named, its parents, and all below it. */
  private List<Method> targets(MethodInsnNode call) {
    List<Method> targets = new ArrayList<>();
    for (ClassNode in : classes.values()) {
      if (!related(in.name, call.owner) && !related(call.owner, in.name)) {
        continue;
      }
      for (MethodNode method : in.methods) {
        if (method.name.equals(call.name) && method.desc.equals(call.desc)) {
          targets.add(new Method(in, method));
        }
      }
    }
    return targets;
  }

  private boolean related(String below, String above) {
    if (below.equals(above)) {
      return true;
    }
    ClassNode node = classes.get(below);
    return node != null && (node.superName != null && related(node.superName, above)
        || node.interfaces.stream().anyMatch(name -> related(name, above)));
  }
}
