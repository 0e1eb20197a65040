package tollcast.runner.runtime;

import static org.objectweb.asm.Opcodes.*;

import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.HashSet;
import java.util.Set;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassVisitor;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.Label;
import org.objectweb.asm.MethodVisitor;
import org.objectweb.asm.Type;
import tollcast.runner.memory.FieldSite;

/** Rewrites a class of the applet so that each of its persistent writes goes through {@link Hooks}. */
public final class AppletRewriter extends ClassVisitor {
  private static final String HOOKS = Type.getInternalName(Hooks.class);
  private static final Set<String> REPLACED = replaced();
  /** API methods that write to no array and need no hook. */
  private static final Set<String> HARMLESS = Set.of("getInstance", "getAlgorithm", "getLength", "getSize", "getType",
      "getPrivate", "getPublic",
      "isInitialized", "reset", "verify", "setSeed", "throwIt", "getReason", "setReason", "<init>");

  private String className;

  private AppletRewriter(ClassVisitor next) {
    super(ASM9, next);
  }

  /** @throws UnsupportedOperationException for what the runner could not roll back, cut or count */
  public static byte[] rewrite(byte[] original) {
    ClassWriter writer = new ClassWriter(ClassWriter.COMPUTE_MAXS);
    new ClassReader(original).accept(new AppletRewriter(writer), 0);
    return writer.toByteArray();
  }

  private static Set<String> replaced() {
    Set<String> methods = new HashSet<>();
    for (Method method : Hooks.class.getDeclaredMethods()) {
      if (Modifier.isPublic(method.getModifiers())) {
        methods.add(method.getName() + Type.getMethodDescriptor(method));
      }
    }
    return methods;
  }

  private static int octets(String descriptor) {
    return switch (descriptor.charAt(0)) {
      case 'Z', 'B' -> 1;
      case 'I' -> 4;
      case 'J', 'D', 'F', 'C' -> throw new UnsupportedOperationException(
          "no field of type " + descriptor + " on a card");
      default -> 2;
    };
  }

  @Override
  public void visit(int version, int access, String name, String signature, String parent, String[] interfaces) {
    className = name;
    super.visit(version, access, name, signature, parent, interfaces);
  }

  @Override
  public MethodVisitor visitMethod(int access, String name, String descriptor, String signature, String[] exceptions) {
    if (name.equals("<clinit>")) {
      return super.visitMethod(access, name, descriptor, signature, exceptions);
    }
    boolean process = name.equals("process") && descriptor.equals("(Ljavacard/framework/APDU;)V")
        && (access & (ACC_ABSTRACT | ACC_STATIC)) == 0;
    if (!process) {
      return new Body(super.visitMethod(access, name, descriptor, signature, exceptions));
    }
    reportUncaught(access, name, descriptor, exceptions);
    return new Body(super.visitMethod(ACC_PRIVATE, "process$applet", descriptor, signature, exceptions));
  }

  /** Writes a process() that calls the applet's own and reports what it throws; jCardSim answers a bare 6F00. */
  private void reportUncaught(int access, String name, String descriptor, String[] exceptions) {
    MethodVisitor out = super.visitMethod(access, name, descriptor, null, exceptions);
    Label from = new Label();
    Label to = new Label();
    Label handler = new Label();
    out.visitCode();
    out.visitTryCatchBlock(from, to, handler, "java/lang/Throwable");
    out.visitLabel(from);
    out.visitVarInsn(ALOAD, 0);
    out.visitVarInsn(ALOAD, 1);
    out.visitMethodInsn(INVOKESPECIAL, className, "process$applet", descriptor, false);
    out.visitLabel(to);
    out.visitInsn(RETURN);
    out.visitLabel(handler);
    out.visitFrame(F_SAME1, 0, null, 1, new Object[] {"java/lang/Throwable"});
    out.visitInsn(DUP);
    out.visitMethodInsn(INVOKESTATIC, HOOKS, "uncaught", "(Ljava/lang/Throwable;)V", false);
    out.visitInsn(ATHROW);
    out.visitMaxs(0, 0);
    out.visitEnd();
  }

  private final class Body extends MethodVisitor {
    Body(MethodVisitor next) {
      super(AppletRewriter.this.api, next);
    }

    @Override
    public void visitFieldInsn(int opcode, String owner, String name, String descriptor) {
      // The compiler writes fields such as "this$0" before super(), where `this` must not be passed on.
      boolean write = (opcode == PUTFIELD && name.indexOf('$') < 0) || opcode == PUTSTATIC;
      if (write) {
        if (opcode == PUTFIELD) {
          visitInsn(DUP2);
          visitInsn(POP);
        } else {
          visitInsn(ACONST_NULL);
        }
        visitLdcInsn(FieldSite.numberOf(owner, name, octets(descriptor)));
        super.visitMethodInsn(INVOKESTATIC, HOOKS, "beforeField", "(Ljava/lang/Object;I)V", false);
      }
      super.visitFieldInsn(opcode, owner, name, descriptor);
    }

    @Override
    public void visitInsn(int opcode) {
      switch (opcode) {
        case BASTORE -> hook("storeByte", "(Ljava/lang/Object;II)V");
        case SASTORE -> hook("storeShort", "([SII)V");
        case AASTORE -> hook("storeReference", "([Ljava/lang/Object;ILjava/lang/Object;)V");
        case IASTORE, LASTORE, FASTORE, DASTORE, CASTORE -> throw new UnsupportedOperationException(
            className.replace('/', '.') + " writes an array that is not of octets, booleans, shorts or references");
        default -> super.visitInsn(opcode);
      }
    }

    @Override
    public void visitMethodInsn(int opcode, String owner, String name, String descriptor, boolean isInterface) {
      if (owner.startsWith("javacard")) {
        String receiver = opcode == INVOKESTATIC ? "" : "L" + owner + ";";
        String hook = "(" + receiver + descriptor.substring(1);
        if (opcode != INVOKESPECIAL && REPLACED.contains(name + hook)) {
          hook(name, hook);
          return;
        }
        if (owner.equals("javacard/security/Signature") && name.equals("getInstance")) {
          hook("makeSignature", descriptor);
          return;
        }
        if (name.equals("clearKey")) {
          hook(name, "(Ljavacard/security/Key;)V");
          return;
        }
        boolean input = name.equals("update") && descriptor.equals("([BSS)V");
        if (!owner.startsWith("javacard/framework/") && !HARMLESS.contains(name) && !input) {
          throw new UnsupportedOperationException("the runner does not know what " + owner.replace('/', '.') + "."
              + name + descriptor + " writes: add it to tollcast.runner.runtime.Hooks");
        }
      }
      super.visitMethodInsn(opcode, owner, name, descriptor, isInterface);
    }

    private void hook(String name, String descriptor) {
      super.visitMethodInsn(INVOKESTATIC, HOOKS, name, descriptor, false);
    }
  }
}
