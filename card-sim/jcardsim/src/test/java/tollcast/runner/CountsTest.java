package tollcast.runner;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import tollcast.runner.memory.Counts;
import tollcast.testapplet.TestApplet;

class CountsTest {
  private final Rig rig = Rig.inMemory();

  CountsTest() throws Exception {}

  private String counted(byte ins, int p1, byte... data) throws Exception {
    rig.card.resetCounts();
    rig.send(ins, p1, data);
    Counts counts = rig.counts();
    assertEquals(1, counts.commands);
    return counts.persistentWrites + " " + counts.persistentOctets + " " + counts.keySets + " " + counts.cipherInits
        + " " + counts.transactions;
  }

  @Test
  void writesOctetsKeysInitsTransactions() throws Exception {
    assertEquals("1 2 0 0 0", counted(TestApplet.COUNT, 0));
    assertEquals("1 2 0 0 0", counted(TestApplet.STATIC_COUNT, 0));
    assertEquals("1 1 0 0 0", counted(TestApplet.PLAIN_MARK, 0));
    assertEquals("1 16 0 0 0", counted(TestApplet.COPY, 0, Rig.DATA));
    assertEquals("16 16 0 0 0", counted(TestApplet.COPY_NON_ATOMIC, 0, Rig.DATA));
    assertEquals("2 2 0 0 0", counted(TestApplet.SET_SHORT, 0));
    assertEquals("32 32 0 0 0", counted(TestApplet.DIGEST_INTO_RECORD, 0, Rig.DATA));
    assertEquals("1 16 1 0 0", counted(TestApplet.SET_KEY, 0, Rig.DATA));
    assertEquals("0 0 1 0 0", counted(TestApplet.SET_KEY, 1, Rig.DATA));
    assertEquals("0 0 0 2 0", counted(TestApplet.INIT_CIPHER, 1, Rig.DATA));
    assertEquals("0 0 0 0 0", counted(TestApplet.ENCRYPT, 1, Rig.DATA));
    assertEquals("0 0 0 0 0", counted(TestApplet.SET_RAM, 1));
    assertEquals("0 0 0 0 0", counted(TestApplet.ECHO, 1, Rig.DATA));
    assertEquals("14 50 1 0 1", counted(TestApplet.TRANSACTION, 0, Rig.DATA));
    assertEquals("13 49 1 0 0", counted(TestApplet.TRANSACTION, 1, Rig.DATA));
    // Decrement and set back.
    assertEquals("2 2 0 0 0", counted(TestApplet.CHECK_PIN, 0, new byte[] {1, 2, 3, 4}));
  }

  @Test
  void staticsAndPinsAreTheCardsOwn() throws Exception {
    Rig other = Rig.inMemory();
    rig.ok(TestApplet.STATIC_COUNT, 0);
    rig.ok(TestApplet.STATIC_COUNT, 0);
    rig.ok(TestApplet.CHECK_PIN, 0, new byte[] {9, 9, 9, 9});
    assertEquals("0001", other.ok(TestApplet.STATIC_COUNT, 0));
    assertEquals("03", other.ok(TestApplet.STATUS, 0).substring(32, 34));
    assertEquals("0003", rig.ok(TestApplet.STATIC_COUNT, 0));
  }

  @Test
  void hooksCostLittle() throws Exception {
    rig.ok(TestApplet.SET_KEY, 0, Rig.DATA);
    rig.ok(TestApplet.INIT_CIPHER, 0, new byte[16]);
    byte[] transaction = Rig.command(TestApplet.TRANSACTION, 0, Rig.DATA);
    byte[] encrypt = Rig.command(TestApplet.ENCRYPT, 0, new byte[64]);
    double best = 0;
    for (int round = 0; round < 5; round++) {
      long start = System.nanoTime();
      int pairs = 20_000;
      for (int i = 0; i < pairs; i++) {
        rig.card.transmit(encrypt);
        rig.card.transmit(transaction);
      }
      best = Math.max(best, 2e9 * pairs / (System.nanoTime() - start));
    }
    System.out.printf("in process, every other command a transaction of 13 writes: %,.0f commands/s%n", best);
    // Far below what it does, for slow and busy machines.
    assertTrue(best > 20_000, "commands/s: " + best);
  }
}
