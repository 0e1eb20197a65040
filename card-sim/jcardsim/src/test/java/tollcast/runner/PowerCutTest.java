package tollcast.runner;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tollcast.runner.card.Card;
import tollcast.runner.memory.Eeprom;
import tollcast.testapplet.TestApplet;

class PowerCutTest {
  @Test
  void aNonAtomicCopyTearsAtEachOctet() throws Exception {
    Rig rig = Rig.inMemory();
    for (int k = 0; k <= 16; k++) {
      rig.ok(TestApplet.COPY, 0, new byte[32]);
      rig.card.arm(new Card.Cut(k, false));
      assertEquals("cut", rig.send(TestApplet.COPY_NON_ATOMIC, 0, Rig.DATA));
      rig.restart();
      String expected = "A0A1A2A3A4A5A6A7A8A9AAABACADAEAF".substring(0, 2 * k);
      assertEquals(expected + "00".repeat(32 - k), rig.ok(TestApplet.READ, 0), "cut at " + k);
    }
    assertEquals(17, rig.counts().cutsFired);
    // More writes than the command makes: nothing happens, and the cut is spent.
    rig.card.arm(new Card.Cut(17, false));
    rig.ok(TestApplet.COPY_NON_ATOMIC, 0, Rig.DATA);
    rig.ok(TestApplet.COPY_NON_ATOMIC, 0, new byte[32]);
  }

  @Test
  void anAtomicCopyIsAllOrNothing() throws Exception {
    Rig rig = Rig.inMemory();
    rig.card.arm(new Card.Cut(0, false));
    assertEquals("cut", rig.send(TestApplet.COPY, 0, Rig.DATA));
    rig.restart();
    assertEquals("00".repeat(32), rig.ok(TestApplet.READ, 0));
    rig.card.arm(new Card.Cut(1, false));
    assertEquals("cut", rig.send(TestApplet.COPY, 0, Rig.DATA));
    rig.restart();
    assertTrue(rig.ok(TestApplet.READ, 0).startsWith("A0A1A2"));
  }

  @Test
  void aTransactionIsAllOrNothingAtEveryCut() throws Exception {
    Rig rig = Rig.inMemory();
    rig.ok(TestApplet.SET_KEY, 0, new byte[16]);
    String before = rig.state();
    rig.card.resetCounts();
    int k = 0;
    String after = before;
    for (; after.equals(before); k++) {
      rig.card.arm(new Card.Cut(k, false));
      assertEquals("cut", rig.send(TestApplet.TRANSACTION, 0, Rig.DATA));
      after = rig.state();
    }
    // Thirteen writes (setShort makes two) and the commit; only the cut after the commit kept them.
    assertEquals(14 + 1, k);
    assertTrue(after.startsWith("0064"));
  }

  @Test
  void stateAtTheCutStandsEvenIfTheAppletCatchesAndCleansUp() throws Exception {
    Rig rig = Rig.inMemory();
    rig.card.arm(new Card.Cut(5, false));
    assertEquals("cut", rig.send(TestApplet.STUBBORN, 0, Rig.DATA));
    rig.restart();
    assertEquals("A0A1A2A3A4" + "00".repeat(27), rig.ok(TestApplet.READ, 0));
    String status = rig.ok(TestApplet.STATUS, 0);
    assertEquals("0000", status.substring(0, 4));
    assertEquals("00", status.substring(8, 10));
  }

  @Test
  void afterLastCutsBehindTheLastWriteBeforeTheAnswer() throws Exception {
    Rig rig = Rig.inMemory();
    rig.card.arm(new Card.Cut(Eeprom.NEVER, true));
    assertEquals("cut", rig.send(TestApplet.COUNT, 0));
    assertEquals("cut", rig.send(TestApplet.COUNT, 0), "the card is out until it is inserted");
    rig.restart();
    assertEquals("0002", rig.ok(TestApplet.COUNT, 0));
    rig.card.arm(new Card.Cut(Eeprom.NEVER, true));
    assertEquals("cut", rig.send(TestApplet.READ, 0), "also in a command that writes nothing");
  }

  @Test
  void cutsBeforeAndAfterAKey() throws Exception {
    Rig rig = Rig.inMemory();
    String before = rig.state();
    rig.card.arm(new Card.Cut(0, false));
    assertEquals("cut", rig.send(TestApplet.SET_KEY, 0, Rig.DATA));
    assertEquals(before, rig.state());
    rig.card.arm(new Card.Cut(1, false));
    assertEquals("cut", rig.send(TestApplet.SET_KEY, 0, Rig.DATA));
    assertNotEquals(before, rig.state());
  }

  @Test
  void setShortAndApiOutputTear() throws Exception {
    Rig rig = Rig.inMemory();
    rig.card.arm(new Card.Cut(1, false));
    assertEquals("cut", rig.send(TestApplet.SET_SHORT, 0));
    rig.restart();
    assertEquals("12" + "00".repeat(31), rig.ok(TestApplet.READ, 0));
    rig.card.arm(new Card.Cut(3, false));
    assertEquals("cut", rig.send(TestApplet.DIGEST_INTO_RECORD, 0, "abc".getBytes()));
    rig.restart();
    assertEquals("BA7816" + "00".repeat(29), rig.ok(TestApplet.READ, 0));
    rig.ok(TestApplet.DIGEST_INTO_RECORD, 0, "abc".getBytes());
    assertEquals("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD", rig.ok(TestApplet.READ, 0));
  }

  @Test
  void theCutStateIsTheOneOnDisk(@TempDir Path folder) throws Exception {
    Path file = folder.resolve("card");
    Rig rig = Rig.at(file);
    rig.card.arm(new Card.Cut(4, false));
    assertEquals("cut", rig.send(TestApplet.COPY_NON_ATOMIC, 0, Rig.DATA));
    rig.card.close();
    assertEquals("A0A1A2A3" + "00".repeat(28), Rig.at(file).ok(TestApplet.READ, 0));
  }
}
