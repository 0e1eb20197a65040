package tollcast.runner;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

class AppletScanTest {
  /** Set by the build: the applet module's classes. */
  private static final Path APPLET = Path.of(System.getProperty("applet.classes"));

  @Test
  void theAppletKeepsToJavaCard222() throws IOException {
    List<byte[]> classes = new ArrayList<>();
    if (Files.isDirectory(APPLET)) {
      try (Stream<Path> files = Files.walk(APPLET)) {
        for (Path file : files.filter(path -> path.toString().endsWith(".class")).sorted().toList()) {
          classes.add(Files.readAllBytes(file));
        }
      }
    }
    Assumptions.assumeFalse(classes.isEmpty(), "no applet is built yet");
    assertEquals("", String.join("\n", AppletScan.of(classes)));
  }

  /** A scan that finds nothing in this would find nothing anywhere. */
  @SuppressWarnings("unused")
  static class Everything extends javacard.framework.Applet {
    private int whole;
    private byte[][] table;
    private String text;
    private byte[] room = new byte[1];
    private short small;
    private volatile byte shared;

    public static void install(byte[] bArray, short bOffset, byte bLength) {
      new Everything().register();
    }

    @Override
    public void process(javacard.framework.APDU apdu) {
      small = (short) (small + 1);
      small = (short) (small + small + 1);
      for (int i = 0; i < 3; i++) {
        take();
      }
      long far = 1L;
      byte[][][] grid = new byte[2][3][1];
      synchronized (this) {
        small = room[(short) (small + 1)];
      }
      Runnable lambda = () -> {};
    }

    private void take() {
      room = javacard.framework.JCSystem.makeTransientByteArray((short) 1, (byte) 1);
    }

    private void nobodyCallsMe() {
      room = new byte[70_000];
    }
  }

  @Test
  void theScanFindsWhatItIsFor() throws IOException {
    List<byte[]> classes = new ArrayList<>();
    try (InputStream in = Everything.class.getResourceAsStream("AppletScanTest$Everything.class")) {
      classes.add(in.readAllBytes());
    }
    List<String> found = AppletScan.of(classes);
    for (String expected : new String[] {" type int$", " type long$", "iinc", "array of arrays$",
        "array of arrays byte\\[\\]\\[\\]", "foreign type java.lang.String", "invokedynamic",
        "synchronized block", "volatile", "70000 of more than 16 bits",
        "process:\\d+ int intermediate", "take:\\d+ takes memory after installation",
        "process:\\d+ takes memory after installation", "nobodyCallsMe:\\d+ takes memory in a method that install"}) {
      assertTrue(found.stream().anyMatch(line -> Pattern.compile(expected).matcher(line).find()),
          expected + "\nin\n" + String.join("\n", found));
    }
    // Properly cast arithmetic, the constructor's array and install's object are no findings.
    assertEquals(1, found.stream().filter(line -> line.contains("int intermediate")).count(), String.join("\n", found));
    assertTrue(found.stream().noneMatch(line -> line.contains(".<init>") || line.contains(".install:")),
        String.join("\n", found));
  }
}
