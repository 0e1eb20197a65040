package tollcast.runner;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.objectweb.asm.Opcodes.*;
import static tollcast.runner.AppletMessages.*;
import static tollcast.runner.AppletRig.*;
import static tollcast.runner.Instructions.*;

import com.grack.nanojson.JsonObject;
import com.grack.nanojson.JsonParser;
import com.grack.nanojson.JsonWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassVisitor;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.Label;
import org.objectweb.asm.MethodVisitor;
import tollcast.runner.card.Card;
import tollcast.runner.runtime.AppletLoader;
import tollcast.runner.runtime.AppletRewriter;

/**
 * How many instructions of a Java Card virtual machine the applet executes for a command, and how often it calls the
 * API: what the cost model of test/bench starts from. Counted as the class files have them, less what a converter
 * folds: i2s, as a card computes in shorts, and the aload_0 before a getfield. Span 64; the count is the same for any.
 *
 * <p>With -Dapplet.instructions=write the figures of test/bench/card/applet-instructions.json are written anew.
 */
class AppletInstructionsTest {
  /** Set by the build: the applet module's classes. */
  private static final Path APPLET = Path.of(System.getProperty("applet.classes"));
  private static final Path RECORDED = APPLET.resolve("../../../../test/bench/card/applet-instructions.json").normalize();
  private static final int FREE = 0;
  /** Per cent by which the recorded figures may be off before they must be written anew. */
  private static final int MAX_DEVIATION = 5;

  /** Called by the metered classes, which another loader has. */
  public static final class Meter {
    static long instructions;
    static long calls;

    private Meter() {}

    public static void instruction() {
      instructions++;
    }

    public static void call() {
      calls++;
    }
  }

  private static final class Metering extends MethodVisitor {
    private boolean afterThis;

    Metering(MethodVisitor next) {
      super(ASM9, next);
    }

    private void count(String what) {
      super.visitMethodInsn(INVOKESTATIC, AppletInstructionsTest.class.getName().replace('.', '/') + "$Meter", what,
          "()V", false);
      afterThis = false;
    }

    @Override
    public void visitInsn(int opcode) {
      if (opcode != I2S) {
        count("instruction");
      }
      super.visitInsn(opcode);
    }

    @Override
    public void visitIntInsn(int opcode, int operand) {
      count("instruction");
      super.visitIntInsn(opcode, operand);
    }

    @Override
    public void visitVarInsn(int opcode, int variable) {
      count("instruction");
      super.visitVarInsn(opcode, variable);
      afterThis = opcode == ALOAD && variable == 0;
    }

    @Override
    public void visitTypeInsn(int opcode, String type) {
      count("instruction");
      super.visitTypeInsn(opcode, type);
    }

    @Override
    public void visitFieldInsn(int opcode, String owner, String name, String descriptor) {
      if (opcode != GETFIELD || !afterThis) {
        count("instruction");
      }
      afterThis = false;
      super.visitFieldInsn(opcode, owner, name, descriptor);
    }

    @Override
    public void visitMethodInsn(int opcode, String owner, String name, String descriptor, boolean isInterface) {
      count("instruction");
      if (owner.startsWith("javacard")) {
        count("call");
      }
      super.visitMethodInsn(opcode, owner, name, descriptor, isInterface);
    }

    @Override
    public void visitJumpInsn(int opcode, Label label) {
      count("instruction");
      super.visitJumpInsn(opcode, label);
    }

    @Override
    public void visitLdcInsn(Object value) {
      count("instruction");
      super.visitLdcInsn(value);
    }

    @Override
    public void visitIincInsn(int variable, int increment) {
      count("instruction");
      super.visitIincInsn(variable, increment);
    }

    @Override
    public void visitTableSwitchInsn(int min, int max, Label other,
        Label... labels) {
      count("instruction");
      super.visitTableSwitchInsn(min, max, other, labels);
    }

    @Override
    public void visitLookupSwitchInsn(Label other, int[] keys, Label[] labels) {
      count("instruction");
      super.visitLookupSwitchInsn(other, keys, labels);
    }
  }

  private final JsonObject counted = new JsonObject();
  private AppletRig rig;
  private int group;

  /** The applet's class file, each instruction preceded by a count of it. */
  private static byte[] metered(byte[] original) {
    ClassWriter writer = new ClassWriter(ClassWriter.COMPUTE_MAXS);
    new ClassReader(original).accept(new ClassVisitor(ASM9, writer) {
      @Override
      public MethodVisitor visitMethod(int access, String method, String descriptor, String signature,
          String[] exceptions) {
        return new Metering(super.visitMethod(access, method, descriptor, signature, exceptions));
      }
    }, 0);
    return writer.toByteArray();
  }

  /** A card whose applet is metered; those of other tests are not. */
  private static AppletRig meteredCard() throws Exception {
    Map<String, byte[]> before = new HashMap<>(AppletLoader.REWRITTEN);
    try (Stream<Path> files = Files.walk(APPLET)) {
      for (Path file : files.filter(path -> path.toString().endsWith(".class")).toList()) {
        String name = APPLET.relativize(file).toString().replaceFirst("\\.class$", "").replace('/', '.');
        AppletLoader.REWRITTEN.put(name, AppletRewriter.rewrite(metered(Files.readAllBytes(file))));
      }
      return new AppletRig();
    } finally {
      AppletLoader.REWRITTEN.clear();
      AppletLoader.REWRITTEN.putAll(before);
    }
  }

  /** A DECODE that takes is another one than the rest: {@code writes} tells. */
  private void measure(String name, long writes, int ins, byte[] data) throws Exception {
    rig.card.resetCounts();
    Meter.instructions = 0;
    Meter.calls = 0;
    rig.ok(ins, data);
    assertEquals(writes, rig.card.counts().persistentWrites, name);
    JsonObject figures = new JsonObject();
    figures.put("instructions", Meter.instructions);
    figures.put("calls", Meter.calls);
    counted.put(name, figures);
  }

  /** A session with a tariff, its first groups behind it. */
  private void watch(int tariff, int price) throws Exception {
    rig.loadRamKeys(tariff, price);
    rig.open();
    rig.ok(INS_DECODE, next(1_000, 200));
    rig.ok(INS_DECODE, next(1_000, 200));
  }

  private byte[] next(int octets, int duration) throws Exception {
    return part(CONTENT, false, octets, duration, 500, SSRC, ++group);
  }

  /** Another key of the same name, which displaces it. */
  private static Key makeOther(Key key) {
    return new Key(key.kind(), key.service(), key.id(), cardKey(9));
  }

  private void count() throws Exception {
    rig = meteredCard();
    measure("startLoad", 0, INS_START_LOAD, new byte[0]);
    measure("load", 1, INS_LOAD_CREDIT, loadOrder(1, 900_000));
    rig.loadKeys(FREE, 0);
    // The keys that follow displace these, as they do on a card in use.
    rig.ok(INS_LOAD_KEY, keyMessage(makeOther(SEGMENT), PURCHASE, 0, 2_000, 0, new byte[0]));
    measure("segmentKey", 0, INS_LOAD_KEY, keyMessage(SEGMENT, PURCHASE, 0, 2_000, 0, new byte[0]));
    rig.ok(INS_LOAD_KEY, keyMessage(makeOther(CONTENT), SEGMENT, 0, 2_000, 0, terms(FREE, 0, 33)));
    measure("contentKey", 0, INS_LOAD_KEY, keyMessage(CONTENT, SEGMENT, 0, 2_000, 0, terms(FREE, 0, 33)));
    watch(FREE, 0);
    measure("decodeFree", 0, INS_DECODE, next(1_000, 200));
    // Quanta of 1,000 micro-units, groups of 250.
    watch(BY_OCTETS, 250_000);
    measure("decodeSame", 0, INS_DECODE, next(1_000, 200));
    rig.ok(INS_DECODE, next(1_000, 200));
    measure("decodeTake", 1, INS_DECODE, next(1_000, 200));
    measure("decodeOctets", 0, INS_DECODE, next(1_316, 200));
    watch(BY_DURATION, 1_000_000);
    measure("decodeDuration", 0, INS_DECODE, next(1_000, 210));
  }

  @Test
  void theCostModelStartsFromWhatTheAppletDoes() throws Exception {
    Assumptions.assumeTrue(Files.isDirectory(RECORDED.getParent()), "card-sim stands alone, without test/bench");
    count();
    if ("write".equals(System.getProperty("applet.instructions"))) {
      Files.writeString(RECORDED, JsonWriter.indent("  ").string().value(counted).done().replace("\":", "\": ") + "\n");
    }
    JsonObject recorded = JsonParser.object().from(Files.readString(RECORDED));
    assertEquals(counted.keySet(), recorded.keySet());
    for (String command : counted.keySet()) {
      for (String what : new String[] {"instructions", "calls"}) {
        long now = counted.getObject(command).getLong(what);
        long then = recorded.getObject(command).getLong(what);
        assertEquals(0, Math.abs(now - then) * 100 / then / (MAX_DEVIATION + 1), command + ": " + now + " " + what
            + ", not " + then + "; run the test with -Dapplet.instructions=write, "
            + "then node test/bench/write-real-cards.ts");
      }
    }
  }
}
