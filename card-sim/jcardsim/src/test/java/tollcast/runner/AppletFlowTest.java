package tollcast.runner;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static tollcast.runner.AppletMessages.*;
import static tollcast.runner.AppletRig.*;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The decode module on the runner: one way through all of it, and the power cut at every write. */
class AppletFlowTest {
  private AppletRig rig;

  @BeforeEach
  void activeCard() throws Exception {
    rig = new AppletRig();
  }

  @Test
  void paysByOctetsAndSettles() throws Exception {
    rig.credit(1, 100_000);
    rig.loadKeys(BY_OCTETS, 250_000);
    assertEquals(60, rig.ok(0x38, new byte[0]).length);
    rig.open();
    rig.card.resetCounts();
    // 25,000 a group: 25 quanta of 1,000.
    assertArrayEquals(plaintext(), rig.ok(0x3A, rig.group(1)));
    assertEquals(1, rig.card.counts().persistentWrites);
    assertArrayEquals(plaintext(), rig.ok(0x3A, rig.group(1)));
    assertArrayEquals(Arrays.copyOfRange(plaintext(), 16, 64),
        rig.ok(0x3A, part(CONTENT, true, 3, 1_000, 500, SSRC, 2)));
    assertEquals(2, rig.card.counts().persistentWrites);
    assertArrayEquals(plaintext(), rig.ok(0x3A, part(CONTENT, false, 3_997, 1_000, 500, SSRC + 2, 1)));
    assertEquals(2, rig.card.counts().persistentWrites);
    assertEquals(0, rig.card.counts().cipherInits);
    byte[] receipt = rig.ok(0x32, new byte[0]);
    assertEquals(26_000, u48(receipt, 56));
    assertEquals(104_000, u48(receipt, 32));
    assertEquals(33, ByteBuffer.wrap(receipt).getInt(24));
    assertEquals(74_000, rig.checkLaw());
    rig.ok(0x48, acknowledgement(1));
    assertEquals(0, u48(rig.ok(0x40, new byte[0]), 64));
  }

  @Test
  void refusesInOrderAndChangesNothing() throws Exception {
    rig.credit(1, 30_000);
    assertEquals(0x6A88, rig.status(0x3A, rig.group(1)));
    rig.loadKeys(BY_OCTETS, 250_000);
    assertEquals(0x6985, rig.status(0x3A, rig.group(1)));
    rig.open();
    byte[] before = rig.ok(0x40, new byte[0]);
    for (int i = 0; i < 104; i++) {
      byte[] bad = rig.group(1);
      bad[i] ^= 0x40;
      assertEquals(i >= 14 && i < 18 ? 0x6A88 : 0x6988, rig.status(0x3A, bad));
    }
    assertEquals(0x6988, rig.status(0x3A, Arrays.copyOf(rig.group(1), 96)));
    assertEquals(0x940C, rig.status(0x3A, part(CONTENT, false, 1, 1, 500, SSRC + 4, 1)));
    assertEquals(0x9405, rig.status(0x3A, part(CONTENT, false, 1, 1, 1_000, SSRC, 1)));
    assertEquals(0x9406, rig.status(0x3A, rig.group(0)));
    assertEquals(0x9402, rig.status(0x3A, part(CONTENT, false, 1_000_001, 1, 500, SSRC, 1)));
    assertEquals(0x9401, rig.status(0x3A, part(CONTENT, false, 200_000, 1, 500, SSRC, 1)));
    assertArrayEquals(before, rig.ok(0x40, new byte[0]));
    assertEquals(0x940B, rig.status(0x34, keyMessage(new Key((byte) 0x10, SERVICE, 8, filled(9)), UNIQUE, 1, 2, 9,
        ceilings(1))));
    assertEquals(0x940D, rig.status(0x34, keyMessage(SEGMENT, CONTENT, 1, 2, 0, new byte[0])));
    assertEquals(0x9402, rig.status(0x34, keyMessage(CONTENT, PURCHASE, 0, 500, 0, terms(1, 1_000_001, 1))));
    assertEquals(0x940B, rig.status(0x44, s2(3, 1)));
    assertEquals(0x9407, rig.status(0x44, s2(2, 970_001)));
    assertEquals(0x6A80, rig.status(0x48, acknowledgement(1)));
    assertEquals(0x6D00, sw(rig.card.transmit(new byte[] {(byte) 0x80, 0x2C, 0, 0})));
    assertEquals(0x6E00, sw(rig.card.transmit(new byte[] {0, 0x40, 0, 0})));
  }

  @Test
  void chargesByTimeAndFlat() throws Exception {
    rig.credit(1, 1_000_000);
    rig.loadKeys(BY_DURATION, 1_000_000);
    rig.open();
    rig.ok(0x3A, rig.group(1));
    // 1,000 ms of 3,600,000 at 1,000,000: 277.8
    assertEquals(278, u48(rig.ok(0x32, new byte[0]), 56));
    rig.loadRamKeys(FLAT, 7_777);
    rig.open();
    rig.ok(0x3A, rig.group(2));
    rig.ok(0x3A, rig.group(3));
    assertEquals(7_777, u48(rig.ok(0x32, new byte[0]), 56));
    rig.open();
    rig.ok(0x3A, rig.group(4));
    assertEquals(2, ByteBuffer.wrap(rig.ok(0x32, new byte[0])).getInt(12));
    assertEquals(1_000_000 - 278 - 7_777, rig.checkLaw());
  }

  @Test
  void listsMoreThanOneAnswerHolds() throws Exception {
    for (int i = 0; i < 16; i++) {
      rig.ok(0x34, keyMessage(new Key((byte) 0x10, SERVICE, i, filled(i)), UNIQUE, 100, 1_000, 40 - i, ceilings(1)));
    }
    assertEquals(0x6A84, rig.status(0x34, keyMessage(new Key((byte) 0x10, SERVICE, 99, filled(1)), UNIQUE, 1, 2, 41,
        ceilings(1))));
    byte[] first = rig.send(0x38, 0, new byte[0]);
    assertEquals(0x6150, sw(first));
    assertEquals(242, first.length);
    assertEquals(80, rig.ok(new byte[] {0, (byte) 0xC0, 0, 0, 0}).length);
    assertEquals(0x6985, sw(rig.card.transmit(new byte[] {0, (byte) 0xC0, 0, 0, 0})));
  }

  /** Cuts a step of a session at write 0, 1, 2 ... until it goes through, and looks at the purse after each. */
  @Test
  void keepsTheLawWhereverThePowerFails() throws Exception {
    int number = 0;
    int group = 0;
    for (int step = 0; step < 4; step++) {
      boolean through = false;
      for (int writes = 0; !through; writes++) {
        activeCard();
        rig.credit(1, 500_000);
        rig.loadKeys(BY_OCTETS, 100_000);
        rig.open();
        rig.ok(0x3A, rig.group(1));
        byte[] command = switch (step) {
          case 0 -> Rig.command((byte) 0x3A, 0, rig.group(2));
          case 1 -> Rig.command((byte) 0x32, 0);
          case 2 -> Rig.command((byte) 0x44, 0, s2(2, 1_000));
          default -> SELECT;
        };
        if (step == 3) {
          rig.card.pull();
          rig.card.insert();
        }
        rig.card.arm(new Card.Cut(writes, false));
        through = rig.card.transmit(command) != null;
        rig.restart();
        long balance = rig.checkLaw();
        assertTrue(balance >= 500_000 - 20_000 && balance <= 501_000, () -> "balance " + balance);
        byte[] purse = rig.ok(0x40, new byte[0]);
        assertEquals(0, u48(purse, 42));
        rig.loadRamKeys(BY_OCTETS, 100_000);
        rig.open();
        rig.ok(0x3A, rig.group(3));
        rig.ok(0x32, new byte[0]);
        rig.checkLaw();
      }
    }
  }
}
