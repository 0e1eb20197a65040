package tollcast.runner;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.lang.reflect.Field;
import java.util.List;
import org.junit.jupiter.api.Test;
import tollcast.runner.card.Card;
import tollcast.runner.runtime.CardRuntime;
import tollcast.testapplet.TestApplet;

class ResetTest {
  private static final byte[] BLOCK = new byte[16];

  private static String ram(Rig rig) throws Exception {
    String status = rig.ok(TestApplet.STATUS, 0);
    return status.substring(26, 32) + " " + status.substring(36, 44);
  }

  private static Rig filled() throws Exception {
    Rig rig = Rig.inMemory();
    for (int i = 0; i < 3; i++) {
      rig.ok(TestApplet.SET_KEY, i, Rig.DATA);
      rig.ok(TestApplet.INIT_CIPHER, i, BLOCK);
    }
    rig.ok(TestApplet.SET_RAM, 0x42);
    assertEquals("010101 42004201", ram(rig));
    return rig;
  }

  @Test
  void powerOnClearsRamAndTransientKeys() throws Exception {
    Rig rig = filled();
    rig.restart();
    assertEquals("010000 00000000", ram(rig));
  }

  @Test
  void warmResetToo() throws Exception {
    Rig rig = filled();
    rig.card.powerOn();
    rig.select();
    assertEquals("010000 00000000", ram(rig));
  }

  @Test
  void selectClearsWhatIsClearedOnDeselectAndNoMore() throws Exception {
    Rig rig = filled();
    rig.select();
    assertEquals("010100 42000001", ram(rig));
    // jCardSim zeroes the key of type RESET as well.
    assertEquals(rig.ok(TestApplet.ENCRYPT, 0, BLOCK), rig.ok(TestApplet.ENCRYPT, 1, BLOCK));
    assertEquals("6F00", rig.send(TestApplet.ENCRYPT, 2, BLOCK));
  }

  @Test
  void ciphersOfTransientKeysBecomeUninitialised() throws Exception {
    Rig rig = filled();
    String encrypted = rig.ok(TestApplet.ENCRYPT, 0, BLOCK);
    rig.restart();
    assertEquals(encrypted, rig.ok(TestApplet.ENCRYPT, 0, BLOCK));
    assertEquals("6F00", rig.send(TestApplet.ENCRYPT, 1, BLOCK));
    assertEquals("6F00", rig.send(TestApplet.ENCRYPT, 2, BLOCK));
  }

  @Test
  void enginesLeftInMidUpdateStartAnew() throws Exception {
    Rig rig = Rig.inMemory();
    rig.ok(TestApplet.SET_KEY, 0, Rig.DATA);
    rig.ok(TestApplet.INIT_CIPHER, 0, BLOCK);
    String fresh = rig.ok(TestApplet.ENCRYPT, 0, BLOCK);
    String signed = rig.ok(TestApplet.SIGN, 0, BLOCK);
    String digested = rig.ok(TestApplet.DIGEST, 0, BLOCK);
    rig.ok(TestApplet.UPDATE, 0, Rig.DATA);
    rig.ok(TestApplet.DIGEST_UPDATE, 0, Rig.DATA);
    rig.restart();
    assertEquals(fresh, rig.ok(TestApplet.ENCRYPT, 0, BLOCK));
    assertEquals(signed, rig.ok(TestApplet.SIGN, 0, BLOCK));
    assertEquals(digested, rig.ok(TestApplet.DIGEST, 0, BLOCK));
  }

  @Test
  void aCommandOfCase4WithAllOctetsFits() throws Exception {
    Rig rig = Rig.inMemory();
    byte[] data = new byte[255];
    java.util.Arrays.fill(data, (byte) 0x5A);
    assertEquals("5A".repeat(255), rig.ok(TestApplet.ECHO, 0, data));
  }

  @Test
  void randomIsSeeded() throws Exception {
    assertNotEquals(Rig.inMemory().ok(TestApplet.RANDOM, 0), Rig.inMemory().ok(TestApplet.RANDOM, 0));
  }

  @Test
  void malformedCommandsAreRefusedWithAWrongLength() throws Exception {
    Rig rig = Rig.inMemory();
    for (byte[] command : List.of(new byte[0], new byte[1], new byte[3], new byte[6], new byte[] {0, 0, 0, 0, 5, 1},
        new byte[70_000 - 5_000])) {
      byte[] response = rig.card.transmit(command);
      assertEquals(0x67, response[0], "length " + command.length);
    }
    rig.ok(TestApplet.COUNT, 0);
  }

  @Test
  void cipherInitDoesNotLeak() throws Exception {
    Rig rig = Rig.inMemory();
    rig.ok(TestApplet.SET_KEY, 1, Rig.DATA);
    Field arrays = com.licel.jcardsim.base.TransientMemory.class.getDeclaredField("clearOnReset");
    arrays.setAccessible(true);
    Field runtime = Card.class.getDeclaredField("runtime");
    runtime.setAccessible(true);
    CardRuntime card = (CardRuntime) runtime.get(rig.card);
    for (int i = 0; i < 100; i++) {
      rig.ok(TestApplet.INIT_CIPHER, 1, BLOCK);
    }
    assertEquals(0, ((List<?>) arrays.get(card.ram)).size());
    assertEquals(200, rig.counts().cipherInits);
  }

  @Test
  void ramIsAccountedForAndLimited() throws Exception {
    Rig rig = Rig.inMemory();
    // 16 + 16 octets, a reference, two transient keys of 16 octets, and OwnerPIN's flag.
    assertEquals(16 + 16 + 2 + 32 + 1, rig.card.info().ramOctets());
    CardRuntime.InstallFailed refused =
        org.junit.jupiter.api.Assertions.assertThrows(CardRuntime.InstallFailed.class, () -> new Rig(",ram=66"));
    org.junit.jupiter.api.Assertions.assertTrue(refused.getMessage().contains("SystemException 0002"),
        refused.getMessage());
  }

  @Test
  void aStrictCardThrowsAtReceivingWithoutData() throws Exception {
    Rig rig = new Rig(",strict=1");
    assertEquals("6F00", rig.send(TestApplet.COUNT, 0));
    assertEquals("A0A1", rig.ok(TestApplet.ECHO, 0, (byte) 0xA0, (byte) 0xA1));
  }

  @Test
  void aStrictCardForgetsItsEnginesAtDeselect() throws Exception {
    Rig rig = new Rig(",strict=1");
    rig.ok(TestApplet.SET_KEY, 0, Rig.DATA);
    rig.ok(TestApplet.INIT_CIPHER, 0, BLOCK);
    rig.ok(TestApplet.ENCRYPT, 0, BLOCK);
    rig.select();
    assertEquals("6F00", rig.send(TestApplet.ENCRYPT, 0, BLOCK));
  }
}
