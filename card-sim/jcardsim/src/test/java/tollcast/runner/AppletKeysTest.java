package tollcast.runner;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static tollcast.runner.AppletMessages.*;
import static tollcast.runner.AppletRig.*;
import static tollcast.runner.Instructions.*;
import static tollcast.runner.StatusWords.*;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tollcast.runner.card.Card;

/** Places of keys, message numbers and marks of the decode module on the runner. */
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
    ByteBuffer answer = ByteBuffer.wrap(rig.ok(INS_LIST_KEYS, new byte[0]));
    StringBuilder text = new StringBuilder();
    for (int at = 0; at < answer.limit(); at += 20) {
      text.append(answer.get(at)).append('#').append(answer.getInt(at + 8)).append(' ');
    }
    return text.toString();
  }

  private int load(Key key, Key parent, int from, int to, byte[] body) throws Exception {
    return rig.status(INS_LOAD_KEY, keyMessage(key, parent, from, to, 0, body));
  }

  @Test
  void aNewSegmentReplacesTheOneThatEndsFirstAndTheContentBelowIt() throws Exception {
    for (int id = 10; id < 13; id++) {
      assertEquals(DONE, load(segment(id), PURCHASE, 0, id == 11 ? 300 : 900, new byte[0]));
    }
    assertEquals(DONE, load(content(20), segment(11), 0, 999, terms(0, 0, 1)));
    assertEquals("16#5 17#6 17#10 17#11 17#12 18#7 18#20 ", list());
    assertEquals(DONE, load(segment(13), PURCHASE, 0, 900, new byte[0]));
    assertEquals("16#5 17#6 17#10 17#13 17#12 18#7 ", list());
    rig.ok(INS_DELETE_KEY, bytes(9).put((byte) 0x11).putInt(SERVICE).putInt(6).array());
    assertEquals("16#5 17#10 17#13 17#12 ", list());
    assertEquals(OUTSIDE_VALIDITY, load(content(21), segment(13), 900, 950, terms(0, 0, 1)));
    rig.ok(INS_DELETE_KEY, bytes(9).put((byte) 0x10).putInt(SERVICE).putInt(5).array());
    assertEquals("", list());
    assertEquals(UNKNOWN_KEY, rig.status(INS_DELETE_KEY, bytes(9).put((byte) 0x10).putInt(SERVICE).putInt(5).array()));
  }

  @Test
  void aContentKeyIsReplacedOnlyAfterItHasEnded() throws Exception {
    assertEquals(DONE, load(content(20), PURCHASE, 0, 501, terms(0, 0, 1)));
    rig.open();
    assertEquals(NO_ROOM, load(content(21), PURCHASE, 0, 999, terms(0, 0, 1)));
    rig.ok(INS_DECODE, part(CONTENT, false, 1, 1, 501, SSRC, 1));
    assertEquals(DONE, load(content(21), PURCHASE, 0, 999, terms(0, 0, 1)));
    assertEquals("16#5 17#6 18#7 18#21 ", list());
  }

  @Test
  void aMessageNumberIsTakenOnce() throws Exception {
    for (int[] step : new int[][] {{9, 5, DONE}, {41, 32, DONE}, {9, 33, OLD_NUMBER}, {10, 34, DONE},
        {10, 34, DONE}, {1 << 20, 35, DONE}, {(1 << 20) - 32, 36, OLD_NUMBER}, {(1 << 20) - 31, 37, DONE},
        {(1 << 20) - 31, 37, DONE}, {1 << 20, 38, OLD_NUMBER}, {(1 << 20) - 30, 35, OLD_NUMBER},
        {(1 << 20) - 30, 39, DONE}}) {
      Key purchase = serviceKey(step[1], 50);
      byte[] message = keyMessage(purchase, UNIQUE, 100, 1_000, step[0], ceilings(QUANTUM));
      assertEquals(step[2], rig.status(INS_LOAD_KEY, message),
          "number " + step[0] + " of " + step[1]);
    }
  }

  /** Whether a group opens through keys under this purchase. */
  private boolean works(Key purchase, int group) throws Exception {
    rig.open();
    return load(CONTENT, purchase, 0, 999, terms(0, 0, 1)) == DONE
        && rig.status(INS_DECODE, part(CONTENT, false, 1, 1, 500, SSRC, group)) == DONE;
  }

  @Test
  void aPowerCutAtAnyWriteLeavesAWholeKeyOrNone() throws Exception {
    Key renewed = serviceKey(5, 50);
    byte[] message = keyMessage(renewed, UNIQUE, 100, 900, 10, ceilings(QUANTUM));
    byte[] answer = null;
    for (int writes = 0; answer == null; writes++) {
      cardWithKeys();
      rig.card.arm(new Card.Cut(writes, false));
      answer = rig.card.transmit(Rig.command((byte) INS_LOAD_KEY, 0, message));
      rig.restart();
      assertTrue(list().isEmpty() || works(PURCHASE, 1) || works(renewed, 1), "cut at write " + writes);
      // The number is open until the key is in its place. From then on the message finds its own key there.
      rig.ok(INS_LOAD_KEY, message);
      assertTrue(works(renewed, 2));
    }
  }

  /** Opens a group of 1 octet of a stream whose key, its number, is the only content key then. */
  private int decode(int stream, int group) throws Exception {
    byte[] terms = terms(0, 0, 1);
    ByteBuffer.wrap(terms).putInt(16, 2 * stream).putInt(20, 2 * stream);
    Key key = content(100 + stream);
    assertEquals(DONE, load(key, PURCHASE, 0, 999, terms));
    int status = rig.status(INS_DECODE, part(key, false, 1, 1, 500, 2 * stream, group));
    rig.ok(INS_DELETE_KEY, bytes(9).put((byte) 0x12).putInt(SERVICE).putInt(key.id()).array());
    return status;
  }

  @Test
  void marksOfFourStreamsAreKept() throws Exception {
    rig.open();
    for (int stream = 0; stream < 4; stream++) {
      assertEquals(DONE, decode(stream, 5));
    }
    assertEquals(OLD_GROUP, decode(0, 4));
    assertEquals(DONE, decode(0, 5));
    assertEquals(DONE, decode(4, 5));
    rig.open();
    assertEquals(OLD_GROUP, decode(4, 5));
    assertEquals(OLD_GROUP, decode(1, 5));
    // Stream 0 is the oldest one, so stream 4 pushed it out.
    assertEquals(DONE, decode(0, 4));
    assertEquals(DONE, decode(1, 4));
  }

  @Test
  void noSessionStartsWithThirtyTwoReceiptsUnacknowledged() throws Exception {
    rig.loadRamKeys(1, 10_000);
    for (int i = 1; i <= 32; i++) {
      rig.open();
      rig.ok(INS_DECODE, rig.group(i));
      rig.ok(INS_CLOSE_SESSION, new byte[0]);
    }
    rig.open();
    assertEquals(RECEIPTS_DUE, rig.status(INS_DECODE, rig.group(33)));
    rig.ok(INS_ACKNOWLEDGE_RECEIPTS, acknowledgement(3));
    rig.ok(INS_DECODE, rig.group(33));
    rig.ok(INS_CLOSE_SESSION, new byte[0]);
    assertEquals(NOT_FOUND, rig.status(INS_GET_RECEIPT, bytes(4).putInt(1).array()));
    assertEquals(4, ByteBuffer.wrap(rig.ok(INS_GET_RECEIPT, new byte[0])).getInt(12));
    assertEquals(30_000, u48(rig.ok(INS_GET_PURSE, new byte[0]), 64));
    rig.ok(INS_ACKNOWLEDGE_RECEIPTS, acknowledgement(33));
    assertEquals(0, u48(rig.ok(INS_GET_PURSE, new byte[0]), 64));
    assertEquals(NOT_FOUND, rig.status(INS_GET_RECEIPT, new byte[0]));
  }
}
