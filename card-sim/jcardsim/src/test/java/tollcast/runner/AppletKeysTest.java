package tollcast.runner;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static tollcast.runner.AppletMessages.*;
import static tollcast.runner.AppletRig.*;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Slots, numbers and marks of the decode module on the runner. */
class AppletKeysTest {
  private AppletRig rig;

  @BeforeEach
  void cardWithKeys() throws Exception {
    rig = new AppletRig();
    rig.credit(1, 500_000);
    rig.loadKeys(0, 0);
  }

  private static Key segment(int id) {
    return new Key((byte) 0x11, SERVICE, id, filled(id));
  }

  private static Key content(int id) {
    return new Key((byte) 0x12, SERVICE, id, filled(id));
  }

  /** Kinds and ids in the order of LIST KEYS, as 16#6 17#6 ... */
  private String list() throws Exception {
    ByteBuffer answer = ByteBuffer.wrap(rig.ok(0x38, new byte[0]));
    StringBuilder text = new StringBuilder();
    for (int at = 0; at < answer.limit(); at += 20) {
      text.append(answer.get(at)).append('#').append(answer.getInt(at + 8)).append(' ');
    }
    return text.toString();
  }

  private int load(Key key, Key parent, int from, int to, byte[] body) throws Exception {
    return rig.status(0x34, keyMessage(key, parent, from, to, 0, body));
  }

  @Test
  void pushesOutTheEarliestSegmentWithWhatIsBelowIt() throws Exception {
    for (int id = 10; id < 13; id++) {
      assertEquals(0x9000, load(segment(id), PURCHASE, 0, id == 11 ? 300 : 900, new byte[0]));
    }
    assertEquals(0x9000, load(content(20), segment(11), 0, 999, terms(0, 0, 1)));
    assertEquals("16#5 17#6 17#10 17#11 17#12 18#7 18#20 ", list());
    assertEquals(0x9000, load(segment(13), PURCHASE, 0, 900, new byte[0]));
    assertEquals("16#5 17#6 17#10 17#13 17#12 18#7 ", list());
    rig.ok(0x36, bytes(9).put((byte) 0x11).putInt(SERVICE).putInt(6).array());
    assertEquals("16#5 17#10 17#13 17#12 ", list());
    assertEquals(0x9405, load(content(21), segment(13), 900, 950, terms(0, 0, 1)));
    rig.ok(0x36, bytes(9).put((byte) 0x10).putInt(SERVICE).putInt(5).array());
    assertEquals("", list());
    assertEquals(0x6A88, rig.status(0x36, bytes(9).put((byte) 0x10).putInt(SERVICE).putInt(5).array()));
  }

  @Test
  void givesUpOnlyContentKeysThatHaveEnded() throws Exception {
    assertEquals(0x9000, load(content(20), PURCHASE, 0, 501, terms(0, 0, 1)));
    rig.open();
    assertEquals(0x6A84, load(content(21), PURCHASE, 0, 999, terms(0, 0, 1)));
    rig.ok(0x3A, part(CONTENT, false, 1, 1, 501, SSRC, 1));
    assertEquals(0x9000, load(content(21), PURCHASE, 0, 999, terms(0, 0, 1)));
    assertEquals("16#5 17#6 18#7 18#21 ", list());
  }

  @Test
  void takesEachNumberOnce() throws Exception {
    for (int[] step : new int[][] {{9, 5, 0x9000}, {41, 32, 0x9000}, {9, 33, 0x940B}, {10, 34, 0x9000},
        {10, 34, 0x9000}, {1 << 20, 35, 0x9000}, {(1 << 20) - 32, 36, 0x940B}, {(1 << 20) - 31, 37, 0x9000},
        {(1 << 20) - 31, 37, 0x9000}, {1 << 20, 38, 0x940B}, {(1 << 20) - 30, 35, 0x940B},
        {(1 << 20) - 30, 39, 0x9000}}) {
      Key purchase = new Key((byte) 0x10, SERVICE, step[1], filled(50));
      assertEquals(step[2], rig.status(0x34, keyMessage(purchase, UNIQUE, 100, 1_000, step[0], ceilings(QUANTUM))),
          "number " + step[0] + " of " + step[1]);
    }
  }

  /** Whether a group opens through keys under this purchase. */
  private boolean works(Key purchase, int group) throws Exception {
    rig.open();
    return load(CONTENT, purchase, 0, 999, terms(0, 0, 1)) == 0x9000
        && rig.status(0x3A, part(CONTENT, false, 1, 1, 500, SSRC, group)) == 0x9000;
  }

  @Test
  void neverKeepsHalfAKeyWhereverThePowerFails() throws Exception {
    Key renewed = new Key((byte) 0x10, SERVICE, 5, filled(50));
    byte[] message = keyMessage(renewed, UNIQUE, 100, 900, 10, ceilings(QUANTUM));
    byte[] answer = null;
    for (int writes = 0; answer == null; writes++) {
      cardWithKeys();
      rig.card.arm(new Card.Cut(writes, false));
      answer = rig.card.transmit(Rig.command((byte) 0x34, 0, message));
      rig.restart();
      assertTrue(list().isEmpty() || works(PURCHASE, 1) || works(renewed, 1), "cut at write " + writes);
      // The number is good until the key is in its slot; from then on the message finds itself there.
      rig.ok(0x34, message);
      assertTrue(works(renewed, 2));
    }
  }

  /** Opens a group of 1 octet of a stream whose key, its number, is the only content key then. */
  private int decode(int stream, int group) throws Exception {
    byte[] terms = terms(0, 0, 1);
    ByteBuffer.wrap(terms).putInt(16, 2 * stream).putInt(20, 2 * stream);
    Key key = content(100 + stream);
    assertEquals(0x9000, load(key, PURCHASE, 0, 999, terms));
    int status = rig.status(0x3A, part(key, false, 1, 1, 500, 2 * stream, group));
    rig.ok(0x36, bytes(9).put((byte) 0x12).putInt(SERVICE).putInt(key.id()).array());
    return status;
  }

  @Test
  void remembersFourStreams() throws Exception {
    rig.open();
    for (int stream = 0; stream < 4; stream++) {
      assertEquals(0x9000, decode(stream, 5));
    }
    assertEquals(0x9406, decode(0, 4));
    assertEquals(0x9000, decode(0, 5));
    assertEquals(0x9000, decode(4, 5));
    rig.open();
    assertEquals(0x9406, decode(4, 5));
    assertEquals(0x9406, decode(1, 5));
    // Stream 0 was first seen longest ago and made place.
    assertEquals(0x9000, decode(0, 4));
    assertEquals(0x9000, decode(1, 4));
  }

  @Test
  void stopsAtThirtyTwoReceipts() throws Exception {
    rig.loadRamKeys(1, 10_000);
    for (int i = 1; i <= 32; i++) {
      rig.open();
      rig.ok(0x3A, rig.group(i));
      rig.ok(0x32, new byte[0]);
    }
    rig.open();
    assertEquals(0x9404, rig.status(0x3A, rig.group(33)));
    rig.ok(0x48, acknowledgement(3));
    rig.ok(0x3A, rig.group(33));
    rig.ok(0x32, new byte[0]);
    assertEquals(0x6A82, rig.status(0x46, bytes(4).putInt(1).array()));
    assertEquals(4, ByteBuffer.wrap(rig.ok(0x46, new byte[0])).getInt(12));
    assertEquals(30_000, u48(rig.ok(0x40, new byte[0]), 64));
    rig.ok(0x48, acknowledgement(33));
    assertEquals(0, u48(rig.ok(0x40, new byte[0]), 64));
    assertEquals(0x6A82, rig.status(0x46, new byte[0]));
  }
}
