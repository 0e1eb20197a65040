package tollcast.runner;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tollcast.runner.card.Card;
import tollcast.runner.card.CardSpec;
import tollcast.testapplet.TestApplet;

class StateFileTest {
  @TempDir
  Path folder;

  private Path file() {
    return folder.resolve("card");
  }

  /** As after kill -9: the file as it is after the last answer, and no farewell of the first runner. */
  private Rig afterKill() throws Exception {
    Path copy = folder.resolve("copy");
    Files.copy(file(), copy);
    // As in a new runner, whose thread has had no card yet.
    FutureTask<Rig> restoring = new FutureTask<>(() -> Rig.at(copy));
    new Thread(restoring).start();
    return restoring.get();
  }

  @Test
  void everythingPersistentComesBackAndNoRam() throws Exception {
    Rig rig = Rig.at(file());
    rig.ok(TestApplet.TRANSACTION, 0, Rig.DATA);
    rig.ok(TestApplet.STATIC_COUNT, 0);
    rig.ok(TestApplet.CHECK_PIN, 0, new byte[] {9, 9, 9, 9});
    rig.ok(TestApplet.SET_KEY, 1, Rig.DATA);
    rig.ok(TestApplet.INIT_CIPHER, 1, new byte[16]);
    rig.ok(TestApplet.SET_RAM, 0x42);
    rig.ok(TestApplet.INIT_CIPHER, 0, new byte[16]);
    String encrypted = rig.ok(TestApplet.ENCRYPT, 0, new byte[16]);
    Rig killed = afterKill();
    String status = killed.ok(TestApplet.STATUS, 0);
    // count, statics, mark, link, flag, short, object, node, cycle | keys | PIN tries and validated | RAM | constant,
    // transient or not, install data, transaction depth
    assertEquals("0064" + "0065" + "01" + "00" + "01" + "0063" + "01" + "0008" + "01" + "010000" + "0200" + "00000000"
        + "04" + "01" + "00" + "03" + "00", status);
    // A cipher initialised with a persistent key stays so, one with a transient key does not.
    assertEquals(encrypted, killed.ok(TestApplet.ENCRYPT, 0, new byte[16]));
    assertEquals("6F00", killed.send(TestApplet.ENCRYPT, 1, new byte[16]));
    assertEquals(rig.state(), killed.state());
  }

  @Test
  void aRestoredCardGoesOnAsTheOldOne() throws Exception {
    Rig rig = Rig.at(file());
    rig.ok(TestApplet.COUNT, 0);
    rig.card.close();
    Rig again = Rig.at(file());
    assertEquals(67, again.card.info().ramOctets());
    assertEquals("0002", again.ok(TestApplet.COUNT, 0));
    again.ok(TestApplet.TRANSACTION, 1, Rig.DATA);
    assertEquals("0003", again.ok(TestApplet.COUNT, 0));
    again.card.arm(new Card.Cut(3, false));
    assertEquals("cut", again.send(TestApplet.COPY_NON_ATOMIC, 0, Rig.DATA));
    again.card.close();
    assertTrue(Rig.at(file()).ok(TestApplet.READ, 0).startsWith("A0A1A200"));
  }

  @Test
  void onlyCommandsThatWriteAreSaved() throws Exception {
    Rig rig = Rig.at(file());
    rig.card.resetCounts();
    rig.ok(TestApplet.READ, 0);
    rig.ok(TestApplet.SET_RAM, 1);
    rig.ok(TestApplet.SET_KEY, 1, Rig.DATA);
    rig.ok(TestApplet.INIT_CIPHER, 1, new byte[16]);
    assertEquals(0, rig.card.info().saves());
    rig.ok(TestApplet.COUNT, 0);
    assertEquals(1, rig.card.info().saves());
  }

  @Test
  void theFileIsPrivateAndTakenByOneCardAtATime() throws Exception {
    Rig rig = Rig.at(file());
    assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file())));
    IOException refused = assertThrows(IOException.class, () -> Rig.at(file()));
    assertTrue(refused.getMessage().contains("in use"), refused.getMessage());
    rig.card.close();
    Rig.at(file());
  }

  @Test
  void damagedAndForeignFilesAreRefusedWithAReason() throws Exception {
    Rig.at(file()).card.close();
    byte[] good = Files.readAllBytes(file());
    for (int at = 0; at < good.length; at += 7) {
      byte[] bad = good.clone();
      bad[at] ^= 1;
      Files.write(file(), bad);
      IOException refused = assertThrows(IOException.class, () -> Rig.at(file()));
      assertTrue(refused.getMessage().startsWith("card file "), refused.getMessage());
    }
    for (int length : new int[] {0, 3, 4, 10, good.length - 1}) {
      Files.write(file(), java.util.Arrays.copyOf(good, length));
      assertThrows(IOException.class, () -> Rig.at(file()));
    }
    Files.write(file(), good);
    CardSpec.Defaults other =
        new CardSpec.Defaults("tollcast.otherapplet.OtherApplet", Rig.DEFAULTS.aid(), new byte[0]);
    CardSpec spec = CardSpec.parse("tcp=0,state=" + file(), other);
    IOException refused = assertThrows(IOException.class, () -> new Card(0, spec));
    assertTrue(refused.getMessage().contains("another build of the applet"), refused.getMessage());
  }

  @Test
  void nothingIsLeftBesideAFileThatIsNotACard() throws Exception {
    Files.writeString(file(), "somebody else's");
    assertThrows(IOException.class, () -> Rig.at(file()));
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(List.of(file()), files.toList());
    }
  }

  @Test
  void folderAndLockAreTheOwnersAlone() throws Exception {
    Path inFolder = folder.resolve("new").resolve("card");
    Rig.at(inFolder).card.close();
    assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(inFolder.getParent())));
    Path lock = inFolder.resolveSibling("card.lock");
    assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(lock)));
  }

  @Test
  void eraseMakesANewCard() throws Exception {
    Rig rig = Rig.at(file());
    String fresh = rig.state();
    rig.ok(TestApplet.TRANSACTION, 0, Rig.DATA);
    rig.card.erase();
    rig.select();
    assertEquals(fresh, rig.state());
    assertEquals(fresh, afterKill().state());
  }
}
