package tollcast.runner;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static tollcast.runner.AppletMessages.*;
import static tollcast.runner.Instructions.*;
import static tollcast.runner.StatusWords.*;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import tollcast.runner.card.Card;
import tollcast.runner.card.CardSpec;

/** A card with the decode module, and commands to it. */
final class AppletRig {
  private static final byte[] AID = HexFormat.of().parseHex("F0544F4C4C4341535401");
  static final byte[] SELECT = HexFormat.of().parseHex("00A404000AF0544F4C4C434153540100");
  static final byte[] CHANNEL_KEY = filled(0x77);
  static final Key PURCHASE = serviceKey(5, 1);
  static final Key SEGMENT = new Key((byte) 0x11, SERVICE, 6, filled(2));
  static final Key CONTENT = new Key((byte) 0x12, SERVICE, 7, filled(3));
  static final long QUANTUM = 1_000;
  static final int BY_OCTETS = 1;
  static final int BY_DURATION = 2;
  static final int FLAT = 3;

  final Card card;

  static byte[] filled(int value) {
    byte[] key = new byte[16];
    Arrays.fill(key, (byte) value);
    return key;
  }

  /** A service key of SERVICE, 16 octets of this value. */
  static Key serviceKey(int id, int value) {
    return new Key((byte) 0x10, SERVICE, id, filled(value));
  }

  /** A card made active, with nothing loaded. */
  AppletRig() throws Exception {
    byte[] keySet = bytes(49).put((byte) 1).put(CHANNEL_KEY).put(CHANNEL_KEY).put(CHANNEL_KEY).array();
    card = new Card(0, CardSpec.parse("tcp=0,ram=1500,commit=384,strict=1",
        new CardSpec.Defaults("tollcast.applet.DecodeModuleApplet", AID, keySet)));
    assertEquals("00", HexFormat.of().formatHex(ok(SELECT), 32, 33));
    assertEquals(NOT_NOW, status(INS_OPEN_SESSION, bytes(4).putInt(SERVICE).array()));
    AppletChannel channel = new AppletChannel(card, CHANNEL_KEY);
    assertEquals(SECURITY, sw(send(INS_STORE_DATA, 0, storeProfile(1_000_000, 500_000))));
    assertEquals(NOT_NOW, sw(channel.send(INS_STORE_DATA, 0x80, 0, storeProfile(1_000_000, 500_000))));
    assertEquals(DONE, sw(channel.send(INS_STORE_DATA, 0, 0, storeProfile(1_000_000, 500_000))));
    assertEquals(DONE, sw(channel.send(INS_STORE_DATA, 0x80, 0, storeKeys())));
    assertEquals(DONE, sw(channel.send(INS_SET_STATUS, 0x40, 3, new byte[0])));
    byte[] fci = ok(SELECT);
    assertEquals(51, fci.length);
    assertArrayEquals(CARD_ID, Arrays.copyOfRange(fci, 22, 30));
    assertEquals(3, fci[32]);
    card.resetCounts();
  }

  byte[] send(int ins, int p1, byte[] data) throws Exception {
    return card.transmit(Rig.command((byte) ins, p1, data));
  }

  static int sw(byte[] answer) {
    return Short.toUnsignedInt(ByteBuffer.wrap(answer).getShort(answer.length - 2));
  }

  int status(int ins, byte[] data) throws Exception {
    return sw(send(ins, 0, data));
  }

  byte[] ok(byte[] command) throws Exception {
    byte[] answer = card.transmit(command);
    assertEquals(DONE, sw(answer), () -> HexFormat.of().formatHex(command));
    return Arrays.copyOf(answer, answer.length - 2);
  }

  byte[] ok(int ins, int p1, byte[] data) throws Exception {
    return ok(Rig.command((byte) ins, p1, data));
  }

  byte[] ok(int ins, byte[] data) throws Exception {
    return ok(ins, 0, data);
  }

  static long u48(byte[] octets, int at) {
    return ByteBuffer.wrap(octets).getLong(at - 2) & 0xFFFF_FFFF_FFFFL;
  }

  void loadKeys(int tariff, int price) throws Exception {
    ok(INS_LOAD_KEY, keyMessage(PURCHASE, UNIQUE, 100, 1_000, 9, ceilings(QUANTUM)));
    loadRamKeys(tariff, price);
  }

  void loadRamKeys(int tariff, int price) throws Exception {
    ok(INS_LOAD_KEY, keyMessage(SEGMENT, PURCHASE, 0, 2_000, 0, new byte[0]));
    ok(INS_LOAD_KEY, keyMessage(CONTENT, SEGMENT, 0, 2_000, 0, terms(tariff, price, 33)));
  }

  void credit(int number, long amount) throws Exception {
    byte[] proof = ok(INS_LOAD_CREDIT, loadOrder(number, amount));
    assertArrayEquals(tag(cardKey(5), Arrays.copyOf(proof, 48), 16), Arrays.copyOfRange(proof, 48, 64));
  }

  void open() throws Exception {
    ok(INS_OPEN_SESSION, bytes(4).putInt(SERVICE).array());
  }

  /** A group of mode sealed, 100,000 octets and 1,000 ms. */
  byte[] group(int group) throws Exception {
    return part(CONTENT, false, 100_000, 1_000, 500, SSRC, group);
  }

  byte[] receipt(int number) throws Exception {
    byte[] receipt = ok(INS_GET_RECEIPT, bytes(4).putInt(number).array());
    assertArrayEquals(tag(cardKey(2), Arrays.copyOf(receipt, 96), 16), Arrays.copyOfRange(receipt, 96, 112));
    return receipt;
  }

  /** Checks that loaded = balance + receipts + torn, and returns the balance. */
  long checkSums() throws Exception {
    byte[] purse = ok(INS_GET_PURSE, new byte[0]);
    assertEquals(70, purse.length);
    long loaded = u48(purse, 4);
    long spent = u48(purse, 10);
    long torn = u48(purse, 16);
    long receipts = 0;
    for (int number = 1; number <= ByteBuffer.wrap(purse).getInt(56); number++) {
      receipts += u48(receipt(number), 56);
    }
    assertEquals(loaded, loaded - spent + receipts + torn);
    return loaded - spent;
  }

  /** Takes the card out and back in, so that RAM is lost, and selects the module. */
  void restart() throws Exception {
    card.pull();
    card.insert();
    ok(SELECT);
  }
}
