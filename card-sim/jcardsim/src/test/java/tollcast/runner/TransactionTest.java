package tollcast.runner;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tollcast.testapplet.TestApplet;

class TransactionTest {
  private static final byte[] KEY = "0123456789ABCDEF".getBytes();

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4})
  void rollsBackWhateverEndsItButACommit(int end) throws Exception {
    Rig rig = Rig.inMemory();
    rig.ok(TestApplet.SET_KEY, 0, KEY);
    String before = rig.state();
    String expected = switch (end) {
      case 2 -> "6985";
      case 4 -> "6F00";
      default -> "9000";
    };
    assertEquals(expected, rig.send(TestApplet.TRANSACTION, end, Rig.DATA));
    // RAM is no part of it.
    assertEquals("05", rig.ok(TestApplet.STATUS, 0).substring(38, 40));
    assertEquals(before, rig.state());
    // No transaction is left open.
    rig.ok(TestApplet.TRANSACTION, 0, Rig.DATA);
  }

  @Test
  void commitKeepsEverything() throws Exception {
    Rig rig = Rig.inMemory();
    rig.ok(TestApplet.SET_KEY, 0, KEY);
    String before = rig.state();
    rig.ok(TestApplet.TRANSACTION, 0, Rig.DATA);
    String after = rig.state();
    assertNotEquals(before, after);
    assertEquals("0064" + "0064" + "01" + "00" + "01" + "0063" + "01" + "0008", after.substring(0, 24));
    assertEquals(1, rig.counts().transactions);
    assertEquals(2 + 2 + 1 + 2 + 16 + 2 + 1 + 1 + 2 + 2 + 2 + 16, rig.counts().maxTransactionOctets);
  }

  @Test
  void pinTriesAreOutsideTransactions() throws Exception {
    Rig rig = Rig.inMemory();
    rig.ok(TestApplet.CHECK_PIN_AND_ABORT, 0, new byte[] {9, 9, 9, 9});
    assertEquals("02", rig.ok(TestApplet.STATUS, 0).substring(32, 34));
    assertEquals("01", rig.ok(TestApplet.CHECK_PIN, 0, new byte[] {1, 2, 3, 4}));
    assertEquals("0301", rig.ok(TestApplet.STATUS, 0).substring(32, 36));
  }

  @Test
  void aCipherFollowsItsKeyBack() throws Exception {
    Rig rig = Rig.inMemory();
    rig.ok(TestApplet.SET_KEY, 0, KEY);
    rig.ok(TestApplet.INIT_CIPHER, 0, new byte[16]);
    String with = rig.ok(TestApplet.ENCRYPT, 0, new byte[16]);
    rig.ok(TestApplet.REINIT_AND_ABORT, 0, Rig.DATA);
    assertEquals(with, rig.ok(TestApplet.ENCRYPT, 0, new byte[16]));
  }

  @Test
  void commitCapacityIsALimit() throws Exception {
    Rig rig = new Rig(",commit=20");
    String before = rig.state();
    assertEquals("6F00", rig.send(TestApplet.TRANSACTION, 0, Rig.DATA));
    assertEquals(before, rig.state());
  }
}
