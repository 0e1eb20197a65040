package tollcast.runner;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.objectweb.asm.ClassReader;

/**
 * What the package takes of the 28 KB that it may have (building-a-cap.md), without Oracle's converter. Between four
 * versions that the converter made files of, the loaded octets rose by 1.2 for each octet of code in the class files;
 * what this estimates is within 100 octets of each of them.
 */
class AppletSizeTest {
  private static final int MAX_LOADED = 28 * 1024;
  /** Octets of code, and of what was loaded, of one version. */
  private static final int KNOWN_CODE = 26_604;
  private static final int KNOWN_LOADED = 27_729;

  @Test
  void fitsThePackage() throws Exception {
    int code = 0;
    try (Stream<Path> files = Files.walk(Path.of(System.getProperty("applet.classes")))) {
      List<Path> classes = files.filter(path -> path.toString().endsWith(".class")).toList();
      for (Path file : classes) {
        code += countCode(new ClassReader(Files.readAllBytes(file)));
      }
    }
    int octets = code;
    assertTrue(code > 20_000, () -> "only " + octets + " octets of code found");
    int loaded = KNOWN_LOADED + (code - KNOWN_CODE) * 12 / 10;
    assertTrue(loaded <= MAX_LOADED, () -> "the package takes about " + loaded + " octets, " + (loaded - MAX_LOADED)
        + " more than it may; scripts/build-cap says exactly; make the applet smaller");
  }

  /** The octets of bytecode of all methods of a class (Java Virtual Machine Specification 4.1, 4.7.3). */
  private static int countCode(ClassReader reader) {
    char[] room = new char[reader.getMaxStringLength()];
    int at = reader.header + 6;
    at += 2 + 2 * reader.readUnsignedShort(at);
    int code = 0;
    // The fields, then the methods.
    for (int kind = 0; kind < 2; kind++) {
      int members = reader.readUnsignedShort(at);
      at += 2;
      for (; members > 0; members--) {
        int attributes = reader.readUnsignedShort(at + 6);
        at += 8;
        for (; attributes > 0; attributes--) {
          if (reader.readUTF8(at, room).equals("Code")) {
            code += reader.readInt(at + 10);
          }
          at += 6 + reader.readInt(at + 2);
        }
      }
    }
    return code;
  }
}
