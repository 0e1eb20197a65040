package tollcast.runner;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static tollcast.runner.AppletMessages.*;
import static tollcast.runner.AppletRig.*;
import static tollcast.runner.Instructions.*;
import static tollcast.runner.StatusWords.*;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tollcast.runner.card.Card;

/** The decode module on the runner: sessions from end to end, and a power cut at every write of them. */
class AppletFlowTest {
  private AppletRig rig;

  @BeforeEach
  void activeCard() throws Exception {
    rig = new AppletRig();
  }

  @Test
  void aSessionByOctetsIsPaidAndSettled() throws Exception {
    rig.credit(1, 100_000);
    rig.loadKeys(BY_OCTETS, 250_000);
    assertEquals(60, rig.ok(INS_LIST_KEYS, new byte[0]).length);
    rig.open();
    rig.card.resetCounts();
    // 25,000 a group: 25 quanta of 1,000.
    assertArrayEquals(plaintext(), rig.ok(INS_DECODE, rig.group(1)));
    assertEquals(1, rig.card.counts().persistentWrites);
    assertArrayEquals(plaintext(), rig.ok(INS_DECODE, rig.group(1)));
    assertArrayEquals(Arrays.copyOfRange(plaintext(), 16, 64),
        rig.ok(INS_DECODE, part(CONTENT, true, 3, 1_000, 500, SSRC, 2)));
    assertEquals(2, rig.card.counts().persistentWrites);
    assertArrayEquals(plaintext(), rig.ok(INS_DECODE, part(CONTENT, false, 3_997, 1_000, 500, SSRC + 2, 1)));
    assertEquals(2, rig.card.counts().persistentWrites);
    assertEquals(0, rig.card.counts().cipherInits);
    byte[] receipt = rig.ok(INS_CLOSE_SESSION, new byte[0]);
    assertEquals(26_000, u48(receipt, 56));
    assertEquals(104_000, u48(receipt, 32));
    assertEquals(33, ByteBuffer.wrap(receipt).getInt(24));
    assertEquals(74_000, rig.checkSums());
    rig.ok(INS_ACKNOWLEDGE_RECEIPTS, acknowledgement(1));
    assertEquals(0, u48(rig.ok(INS_GET_PURSE, new byte[0]), 64));
  }

  /** The rig's card is strict, so SELECT has made it forget how its engines were initialised. */
  @Test
  void contentKeysOpenGroupsAfterAnotherSelect() throws Exception {
    rig.credit(1, 100_000);
    rig.loadKeys(BY_OCTETS, 250_000);
    rig.open();
    rig.ok(INS_DECODE, rig.group(1));
    rig.ok(SELECT);
    rig.open();
    assertArrayEquals(plaintext(), rig.ok(INS_DECODE, rig.group(2)));
  }

  @Test
  void whatIsRefusedChangesNothing() throws Exception {
    rig.credit(1, 30_000);
    assertEquals(UNKNOWN_KEY, rig.status(INS_DECODE, rig.group(1)));
    rig.loadKeys(BY_OCTETS, 250_000);
    assertEquals(NOT_NOW, rig.status(INS_DECODE, rig.group(1)));
    rig.open();
    byte[] before = rig.ok(INS_GET_PURSE, new byte[0]);
    for (int i = 0; i < 104; i++) {
      byte[] bad = rig.group(1);
      bad[i] ^= 0x40;
      assertEquals(i >= 14 && i < 18 ? UNKNOWN_KEY : CRYPTO, rig.status(INS_DECODE, bad));
    }
    assertEquals(CRYPTO, rig.status(INS_DECODE, Arrays.copyOf(rig.group(1), 96)));
    assertEquals(FOREIGN_STREAM, rig.status(INS_DECODE, part(CONTENT, false, 1, 1, 500, SSRC + 4, 1)));
    assertEquals(OUTSIDE_VALIDITY, rig.status(INS_DECODE, part(CONTENT, false, 1, 1, 1_000, SSRC, 1)));
    assertEquals(OLD_GROUP, rig.status(INS_DECODE, rig.group(0)));
    assertEquals(ABOVE_CEILING, rig.status(INS_DECODE, part(CONTENT, false, 1_000_001, 1, 500, SSRC, 1)));
    assertEquals(NO_CREDIT, rig.status(INS_DECODE, part(CONTENT, false, 200_000, 1, 500, SSRC, 1)));
    assertArrayEquals(before, rig.ok(INS_GET_PURSE, new byte[0]));
    assertEquals(OLD_NUMBER, rig.status(INS_LOAD_KEY, keyMessage(serviceKey(8, 9), UNIQUE, 1, 2, 9,
        ceilings(1))));
    assertEquals(WRONG_PARENT, rig.status(INS_LOAD_KEY, keyMessage(SEGMENT, CONTENT, 1, 2, 0, new byte[0])));
    byte[] tooDear = keyMessage(CONTENT, PURCHASE, 0, 500, 0, terms(BY_OCTETS, 1_000_001, 1));
    assertEquals(ABOVE_CEILING, rig.status(INS_LOAD_KEY, tooDear));
    assertEquals(OLD_NUMBER, rig.status(INS_LOAD_CREDIT, loadOrder(3, 1)));
    assertEquals(ABOVE_MAXIMUM_BALANCE, rig.status(INS_LOAD_CREDIT, loadOrder(2, 970_001)));
    assertEquals(BAD_FIELD, rig.status(INS_ACKNOWLEDGE_RECEIPTS, acknowledgement(1)));
    assertEquals(UNKNOWN_INSTRUCTION, sw(rig.card.transmit(new byte[] {(byte) 0x80, 0x2C, 0, 0})));
    assertEquals(UNKNOWN_CLASS, sw(rig.card.transmit(new byte[] {0, 0x40, 0, 0})));
  }

  @Test
  void durationAndFlatPricesAreCharged() throws Exception {
    rig.credit(1, 1_000_000);
    rig.loadKeys(BY_DURATION, 1_000_000);
    rig.open();
    rig.ok(INS_DECODE, rig.group(1));
    // 1,000 ms of 3,600,000 at 1,000,000: 277.8
    assertEquals(278, u48(rig.ok(INS_CLOSE_SESSION, new byte[0]), 56));
    rig.loadRamKeys(FLAT, 7_777);
    rig.open();
    rig.ok(INS_DECODE, rig.group(2));
    rig.ok(INS_DECODE, rig.group(3));
    assertEquals(7_777, u48(rig.ok(INS_CLOSE_SESSION, new byte[0]), 56));
    rig.open();
    rig.ok(INS_DECODE, rig.group(4));
    assertEquals(2, ByteBuffer.wrap(rig.ok(INS_CLOSE_SESSION, new byte[0])).getInt(12));
    assertEquals(1_000_000 - 278 - 7_777, rig.checkSums());
  }

  @Test
  void aListLongerThanOneAnswerIsContinued() throws Exception {
    for (int i = 0; i < 16; i++) {
      rig.ok(INS_LOAD_KEY, keyMessage(serviceKey(i, i), UNIQUE, 100, 1_000, 40 - i, ceilings(1)));
    }
    assertEquals(NO_ROOM, rig.status(INS_LOAD_KEY, keyMessage(serviceKey(99, 1), UNIQUE, 1, 2, 41,
        ceilings(1))));
    byte[] first = rig.send(INS_LIST_KEYS, 0, new byte[0]);
    assertEquals(MORE | 80, sw(first));
    assertEquals(242, first.length);
    assertEquals(80, rig.ok(new byte[] {0, (byte) 0xC0, 0, 0, 0}).length);
    assertEquals(NOT_NOW, sw(rig.card.transmit(new byte[] {0, (byte) 0xC0, 0, 0, 0})));
  }

  /** Cuts each step of a session before write 0, 1, 2 ... until it completes, and checks the purse after each cut. */
  @Test
  void aPowerCutAtAnyWriteLosesNoMoney() throws Exception {
    int number = 0;
    int group = 0;
    for (int step = 0; step < 4; step++) {
      boolean through = false;
      for (int writes = 0; !through; writes++) {
        activeCard();
        rig.credit(1, 500_000);
        rig.loadKeys(BY_OCTETS, 100_000);
        rig.open();
        rig.ok(INS_DECODE, rig.group(1));
        byte[] command = switch (step) {
          case 0 -> Rig.command((byte) INS_DECODE, 0, rig.group(2));
          case 1 -> Rig.command((byte) INS_CLOSE_SESSION, 0);
          case 2 -> Rig.command((byte) INS_LOAD_CREDIT, 0, loadOrder(2, 1_000));
          default -> SELECT;
        };
        if (step == 3) {
          rig.card.pull();
          rig.card.insert();
        }
        rig.card.arm(new Card.Cut(writes, false));
        through = rig.card.transmit(command) != null;
        rig.restart();
        long balance = rig.checkSums();
        assertTrue(balance >= 500_000 - 20_000 && balance <= 501_000, () -> "balance " + balance);
        byte[] purse = rig.ok(INS_GET_PURSE, new byte[0]);
        assertEquals(0, u48(purse, 42));
        rig.loadRamKeys(BY_OCTETS, 100_000);
        rig.open();
        rig.ok(INS_DECODE, rig.group(3));
        rig.ok(INS_CLOSE_SESSION, new byte[0]);
        rig.checkSums();
      }
    }
  }
}
