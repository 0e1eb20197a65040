package tollcast.runner;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static tollcast.runner.AppletMessages.*;
import static tollcast.runner.AppletRig.*;
import static tollcast.runner.Instructions.*;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Long runs of groups against a model of protocol 7.1 to 7.3 in whole numbers: used and taken after each group that is
 * looked at, and the totals and the amount of each receipt. The applet adds groups up before it charges them, so every
 * way into and out of its sums is taken: other units, the same ones, other seconds, a take, a look at the purse, an end
 * of the session, a change of price.
 */
class AppletTallyTest {
  private static final BigInteger TICKS = BigInteger.valueOf(18_000_000);
  private static final int GROUPS = 3_000;

  private final AppletRig rig;
  private final Random random;
  private BigInteger used = BigInteger.ZERO;
  private BigInteger taken = BigInteger.ZERO;
  private long octetsOpened;
  private long durationOpened;
  private int groupsOpened;
  private int group;
  private int tariff;
  private int price;

  AppletTallyTest() throws Exception {
    rig = new AppletRig();
    random = new Random(20_240_101);
  }

  private void charge(int octets, int duration) {
    BigInteger ticks = BigInteger.valueOf(price)
        .multiply(BigInteger.valueOf(tariff == BY_OCTETS ? 18L * octets : tariff == BY_DURATION ? 5L * duration : 0));
    BigInteger needed = used.add(ticks);
    while (taken.multiply(TICKS).compareTo(needed) < 0) {
      taken = taken.add(BigInteger.valueOf(QUANTUM));
    }
    used = needed;
  }

  private void checkPurse() throws Exception {
    byte[] purse = rig.ok(INS_GET_PURSE, new byte[0]);
    assertEquals(taken, BigInteger.valueOf(u48(purse, 42)), "taken after group " + group);
    assertEquals(used, BigInteger.valueOf(ByteBuffer.wrap(purse).getLong(48)), "used after group " + group);
  }

  private void closeAndCheckReceipt() throws Exception {
    byte[] receipt = rig.ok(INS_CLOSE_SESSION, new byte[0]);
    if (taken.signum() > 0) {
      assertEquals(used.add(TICKS).subtract(BigInteger.ONE).divide(TICKS), BigInteger.valueOf(u48(receipt, 56)));
      assertEquals(octetsOpened, u48(receipt, 32));
      assertEquals(durationOpened, u48(receipt, 38));
      assertEquals(groupsOpened, ByteBuffer.wrap(receipt).getInt(44));
      int written = ByteBuffer.wrap(receipt).getInt(12);
      rig.ok(INS_ACKNOWLEDGE_RECEIPTS, acknowledgement(written));
    }
    used = BigInteger.ZERO;
    taken = BigInteger.ZERO;
    octetsOpened = 0;
    durationOpened = 0;
    groupsOpened = 0;
    rig.open();
  }

  private void changePrice() throws Exception {
    tariff = random.nextInt(3);
    price = tariff == 0 ? 0 : 1 << random.nextInt(20) | random.nextInt(1 << 10);
    rig.loadRamKeys(tariff, price);
  }

  @Test
  void groupsThatAreAddedUpAreChargedToTheTick() throws Exception {
    rig.credit(1, 990_000);
    rig.ok(INS_LOAD_KEY, keyMessage(PURCHASE, UNIQUE, 100, 1_000, 9, ceilings(QUANTUM)));
    rig.open();
    changePrice();
    int octets = 1_000;
    int duration = 200;
    long seconds = 200;
    for (int i = 0; i < GROUPS; i++) {
      int event = random.nextInt(100);
      if (event < 30) {
        octets = 1 + random.nextInt(3_000);
      } else if (event < 40) {
        duration = random.nextInt(500);
      } else if (event < 55) {
        seconds = 150 + random.nextInt(800);
      } else if (event < 58) {
        checkPurse();
      } else if (event < 59) {
        rig.ok(INS_LIST_KEYS, new byte[0]);
      } else if (event < 60) {
        closeAndCheckReceipt();
      } else if (event < 61) {
        changePrice();
      }
      charge(octets, duration);
      octetsOpened += octets;
      durationOpened += duration;
      groupsOpened++;
      int ssrc = random.nextInt(4) == 0 ? SSRC + 2 : SSRC;
      rig.ok(INS_DECODE, part(CONTENT, false, octets, duration, (int) seconds, ssrc, ++group));
    }
    checkPurse();
    closeAndCheckReceipt();
    rig.checkSums();
  }
}
