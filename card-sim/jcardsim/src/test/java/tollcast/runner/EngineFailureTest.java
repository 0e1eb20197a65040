package tollcast.runner;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static tollcast.runner.AppletMessages.*;
import static tollcast.runner.AppletRig.*;
import static tollcast.runner.Instructions.*;
import static tollcast.runner.StatusWords.*;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A chip whose ciphers, MACs, digests and keys throw: protocol 2.2 has one status word for that, and no sum is lost. */
class EngineFailureTest {
  private static final long AMOUNT = 100_000;

  /** Sends a command until no engine that it calls is left to fail; returns how many calls failed. */
  private static int failEach(AppletRig rig, byte[] command) throws Exception {
    for (int calls = 0;; calls++) {
      rig.card.failEngines(calls);
      int status = sw(rig.card.transmit(command));
      if (status == DONE) {
        return calls;
      }
      int number = calls;
      assertEquals(UNKNOWN_KEY, status, () -> "call " + number + " of INS " + command[1]);
      rig.checkSums();
    }
  }

  @Test
  void isUnknownKeyInEveryCommandAndTheCommandWorksThereafter() throws Exception {
    AppletRig rig = new AppletRig();
    List<Integer> calls = new ArrayList<>();
    byte[] none = new byte[0];
    calls.add(failEach(rig, Rig.command((byte) INS_LOAD_CREDIT, 0, loadOrder(1, AMOUNT))));
    calls.add(failEach(rig, Rig.command((byte) INS_START_LOAD, 0, none)));
    calls.add(failEach(rig,
        Rig.command((byte) INS_LOAD_KEY, 0, keyMessage(PURCHASE, UNIQUE, 100, 1_000, 9, ceilings(QUANTUM)))));
    calls.add(failEach(rig,
        Rig.command((byte) INS_LOAD_KEY, 0, keyMessage(SEGMENT, PURCHASE, 0, 2_000, 0, none))));
    calls.add(failEach(rig,
        Rig.command((byte) INS_LOAD_KEY, 0, keyMessage(CONTENT, SEGMENT, 0, 2_000, 0, terms(BY_OCTETS, 250_000, 33)))));
    rig.open();
    assertEquals(2, failEach(rig, Rig.command((byte) INS_DECODE, 0, rig.group(1))));
    assertArrayEquals(plaintext(), rig.ok(INS_DECODE, rig.group(1)));
    calls.add(failEach(rig, Rig.command((byte) INS_CLOSE_SESSION, 0, none)));
    assertEquals(AMOUNT - 25_000, rig.checkSums());
    rig.open();
    rig.ok(INS_DECODE, rig.group(2));
    // Deselect closes the session, and the runtime keeps what it throws to itself; then SELECT closes it.
    rig.card.failEngines(0);
    rig.ok(SELECT);
    assertEquals(AMOUNT - 50_000, rig.checkSums());
    rig.card.failEngines(0);
    assertEquals(UNKNOWN_KEY, sw(rig.card.transmit(SELECT)));
    rig.ok(SELECT);
    rig.open();
    assertArrayEquals(plaintext(), rig.ok(INS_DECODE, rig.group(3)));
    assertTrue(calls.stream().allMatch(count -> count > 0), calls::toString);
  }

  @Test
  void endsTheSecureChannel() throws Exception {
    AppletRig rig = new AppletRig();
    int call = 0;
    for (boolean isDone = false; !isDone; call++) {
      AppletChannel channel = new AppletChannel(rig.card, CHANNEL_KEY);
      rig.card.failEngines(call);
      int status = sw(channel.send(INS_SET_STATUS, 0x40, 3, new byte[0]));
      isDone = status == DONE;
      if (!isDone) {
        assertEquals(UNKNOWN_KEY, status);
        assertEquals(NOT_NOW, sw(channel.send(INS_SET_STATUS, 0x40, 3, new byte[0])));
      }
    }
    assertTrue(call > 4, () -> "few calls failed");
  }
}
