package tollcast.runner;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * The Java stack of the applet on the reference implementation of 2.2.2, which has 384 octets (real-cards.md). Its
 * figures were measured there: a call takes 10 octets beside locals and operands, and its ciphers are written in Java.
 */
class AppletStackTest {
  private static final String APPLET = "tollcast/applet/DecodeModuleApplet";
  private static final int FRAME = 10;
  private static final int CIPHER = 176;
  private static final int INIT = 60;
  /** What is left of the 384 octets when the runtime calls each of them. */
  private static final int FOR_PROCESS = 354;
  private static final int FOR_DESELECT = 272;
  private static final int FOR_INSTALL = 252;

  @Test
  void isEnoughForEveryCommand() throws Exception {
    AppletStack stack = new AppletStack(Path.of(System.getProperty("applet.classes")), FRAME,
        Map.of("Signature.sign", CIPHER, "Cipher.doFinal", CIPHER, "Signature.init", INIT, "Cipher.init", INIT),
        // It has ALG_AES_MAC_128_NOPAD, and no P-256.
        Set.of("MacEngine.encipher", "MacEngine.encipherPieces", "KeyPairs.agree"));
    assertAll(
        () -> requireAtMost(FOR_PROCESS, stack.of(APPLET, "process", "(Ljavacard/framework/APDU;)V")),
        () -> requireAtMost(FOR_DESELECT, stack.of(APPLET, "deselect", "()V")),
        () -> requireAtMost(FOR_INSTALL, stack.of(APPLET, "install", "([BSB)V")));
  }

  private static void requireAtMost(int octets, AppletStack.Depth depth) {
    assertTrue(depth.octets() > 100, () -> "only " + depth);
    assertTrue(depth.octets() <= octets, () -> depth + " is more than " + octets + ": have fewer calls on this path");
  }
}
