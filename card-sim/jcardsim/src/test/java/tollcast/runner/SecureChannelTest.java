package tollcast.runner;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.grack.nanojson.JsonArray;
import com.grack.nanojson.JsonObject;
import com.grack.nanojson.JsonParser;
import com.grack.nanojson.JsonParserException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Set;
import org.junit.jupiter.api.Test;
import tollcast.applet.ChannelTestApplet;
import tollcast.runner.card.Card;
import tollcast.runner.card.CardSpec;
import tollcast.runner.runtime.CardRuntime;

/** The card's end of SCP03 against the transcripts that host and soft card are held to. */
class SecureChannelTest {
  private static final Path TRANSCRIPTS = Path.of("..", "..", "test", "vectors", "scp03-transcripts.json");
  private static final HexFormat HEX = HexFormat.of();
  private static final String INITIALIZE = "80500000080001020304050607";

  private final JsonObject transcripts = read();

  private static JsonObject read() {
    try (InputStream in = Files.newInputStream(TRANSCRIPTS)) {
      return JsonParser.object().from(in);
    } catch (IOException | JsonParserException e) {
      throw new IllegalStateException(e);
    }
  }

  private byte[] installed(int keySet) {
    JsonObject keys = transcripts.getArray("keySets").getObject(keySet);
    return HEX.parseHex("%02x".formatted(keys.getInt("version")) + keys.getString("enc") + keys.getString("mac")
        + keys.getString("dek"));
  }

  private Card card(byte[] installed) throws Exception {
    byte[] aid = HEX.parseHex(transcripts.getString("aid"));
    Card card = new Card(0, CardSpec.parse("tcp=0,ram=300,commit=100",
        new CardSpec.Defaults(ChannelTestApplet.class.getName(), aid, installed)));
    select(card);
    return card;
  }

  private Card card() throws Exception {
    return card(installed(0));
  }

  private void select(Card card) throws Exception {
    assertEquals("9000", send(card, "00A404000A" + transcripts.getString("aid")));
  }

  private static String send(Card card, String command) throws Exception {
    byte[] answer = card.transmit(HEX.parseHex(command));
    return answer == null ? null : HEX.formatHex(answer);
  }

  private JsonObject session(int index) {
    return transcripts.getArray("sessions").getObject(index);
  }

  private void open(Card card, JsonObject session) throws Exception {
    assertEquals(session.getString("initializeAnswer"), send(card, session.getString("initializeUpdate")));
    assertEquals("9000", send(card, session.getString("externalAuthenticate")));
  }

  private static void exchange(Card card, JsonObject session) throws Exception {
    JsonArray exchanges = session.getArray("exchanges");
    for (int i = 0; i < exchanges.size(); i++) {
      JsonObject exchange = exchanges.getObject(i);
      assertEquals(exchange.getString("wrappedAnswer"), send(card, exchange.getString("wrapped")),
          "level " + session.getInt("level") + " exchange " + i);
    }
  }

  /** A card whose first session is the one at this level, as it makes the same challenge. */
  private Card at(int session) throws Exception {
    Card card = card();
    counter(card, session(session).getInt("sequenceCounter"));
    open(card, session(session));
    return card;
  }

  private static void counter(Card card, int counter) throws Exception {
    assertEquals("9000", send(card, "801A000003%06x".formatted(counter)));
  }

  @Test
  void allTranscriptsOneAfterTheOther() throws Exception {
    Card card = card();
    for (int i = 0; i < transcripts.getArray("sessions").size(); i++) {
      open(card, session(i));
      exchange(card, session(i));
    }
  }

  @Test
  void eachTranscriptByItselfAfterAReset() throws Exception {
    for (int i = 0; i < 4; i++) {
      Card card = card();
      counter(card, i);
      card.pull();
      card.insert();
      select(card);
      open(card, session(i));
      exchange(card, session(i));
    }
  }

  @Test
  void everyOctetOfACommandFlipped() throws Exception {
    int flips = 0;
    for (int i = 0; i < 4; i++) {
      String wrapped = session(i).getArray("exchanges").getObject(5).getString("wrapped");
      for (int at = 1; at < wrapped.length() / 2 - 1; at++) {
        if (at == 4) {
          continue;
        }
        Card card = at(i);
        JsonArray exchanges = session(i).getArray("exchanges");
        for (int before = 0; before < 5; before++) {
          send(card, exchanges.getObject(before).getString("wrapped"));
        }
        byte[] command = HEX.parseHex(wrapped);
        command[at] ^= 1;
        assertEquals("6988", send(card, HEX.formatHex(command)), "octet " + at);
        assertEquals("6985", send(card, wrapped));
        flips++;
      }
    }
    assertTrue(flips > 100);
  }

  @Test
  void shorterThanACMacEndsTheChannel() throws Exception {
    for (int length = 0; length < 8; length++) {
      Card card = at(length % 4);
      String data = length == 0 ? "" : "%02x".formatted(length) + "00".repeat(length);
      assertEquals("6988", send(card, "84100000" + data));
      assertEquals("6985", send(card, "8410000008" + "00".repeat(8)));
    }
  }

  @Test
  void aCommandAgainIsRefused() throws Exception {
    for (int i = 0; i < 4; i++) {
      Card card = at(i);
      JsonObject first = session(i).getArray("exchanges").getObject(0);
      assertEquals(first.getString("wrappedAnswer"), send(card, first.getString("wrapped")));
      assertEquals("6988", send(card, first.getString("wrapped")));
    }
  }

  @Test
  void plainCommandsBesideTheChannelHaveNoRights() throws Exception {
    Card card = at(3);
    assertEquals("009000", send(card, "80160000"));
    assertEquals("6982", send(card, "80D801814600" + "00".repeat(69)));
    assertEquals("aabb9000", send(card, "8010000002aabb"));
    exchange(card, session(3));
  }

  @Test
  void selectAndResetEndTheChannel() throws Exception {
    Card card = at(2);
    select(card);
    assertEquals("6985", send(card, session(2).getArray("exchanges").getObject(0).getString("wrapped")));
    card = at(2);
    card.pull();
    card.insert();
    select(card);
    assertEquals("6985", send(card, session(2).getArray("exchanges").getObject(0).getString("wrapped")));
  }

  @Test
  void openingIsRefusedInTheOrderOfThePage() throws Exception {
    Card card = card();
    assertEquals("6a86", send(card, "80500001080001020304050607"));
    assertEquals("6700", send(card, "80500400070001020304050"+ "6"));
    assertEquals("6700", send(card, "80500400"));
    assertEquals("9000", send(card, "80180000"));
    assertEquals("6985", send(card, "80500400080001020304050607"));
    assertEquals("9000", send(card, "80180100"));
    assertEquals("6a88", send(card, "80500400080001020304050607"));
    String sixteen = "000102030405060708090a0b0c0d0e0f";
    assertEquals("6985", send(card, "8482010010" + sixteen));
    assertEquals("6985", send(card, "84100000080000000000000000"));
    send(card, INITIALIZE);
    for (String level : new String[] {"00", "02", "10", "12", "33", "04", "81"}) {
      assertEquals("6a86", send(card, "8482" + level + "0010" + sixteen));
    }
    assertEquals("6a86", send(card, "8482010110" + sixteen));
    assertEquals("6700", send(card, "848201000f" + sixteen.substring(2)));
    assertEquals("6985", send(card, "84100000080000000000000000"));
    assertEquals("6988", send(card, "8482010010" + sixteen));
    assertEquals("6985", send(card, "8482010010" + sixteen));
  }

  @Test
  void everyOctetOfExternalAuthenticateFlippedForgetsTheKeys() throws Exception {
    JsonObject session = session(0);
    for (int at = 5; at < 21; at++) {
      Card card = card();
      send(card, session.getString("initializeUpdate"));
      byte[] command = HEX.parseHex(session.getString("externalAuthenticate"));
      command[at] ^= 1;
      assertEquals("6988", send(card, HEX.formatHex(command)));
      assertEquals("6985", send(card, session.getString("externalAuthenticate")));
      // The counter stayed: the same session is still the next one.
      open(card, session);
    }
  }

  @Test
  void aWrongCryptogramUnderARightMac() throws Exception {
    JsonObject wrong = transcripts.getObject("wrongCryptogram");
    Card card = card();
    send(card, wrong.getString("initializeUpdate"));
    assertEquals("6300", send(card, wrong.getString("externalAuthenticate")));
    assertEquals("6985", send(card, wrong.getString("externalAuthenticate")));
    open(card, session(0));
  }

  @Test
  void wrongPaddingUnderARightMac() throws Exception {
    JsonArray wrong = transcripts.getArray("wrongPadding");
    for (int i = 0; i < wrong.size(); i++) {
      Card card = card();
      open(card, wrong.getObject(i));
      assertEquals("6988", send(card, wrong.getObject(i).getString("wrapped")));
      assertEquals("6985", send(card, "84100000080000000000000000"));
    }
    assertTrue(wrong.size() > 3);
  }

  @Test
  void anInitializeUpdateThatSucceedsEndsAnOpenChannel() throws Exception {
    Card card = at(0);
    assertEquals("6a88", send(card, "80500400080001020304050607"));
    JsonArray exchanges = session(0).getArray("exchanges");
    JsonObject first = exchanges.getObject(0);
    assertEquals(first.getString("wrappedAnswer"), send(card, first.getString("wrapped")));
    assertEquals(68, send(card, INITIALIZE).length());
    assertEquals("6985", send(card, exchanges.getObject(1).getString("wrapped")));
  }

  @Test
  void noChannelAfterTheLastCounter() throws Exception {
    Card card = card();
    Set<String> challenges = new HashSet<>();
    for (int counter : new int[] {0, 1, 0xFF, 0x100, 0xFFFF, 0x10000, 0xFFFEFF, 0xFFFFFE}) {
      counter(card, counter);
      String answer = send(card, INITIALIZE);
      assertEquals("%06x9000".formatted(counter), answer.substring(58));
      assertTrue(challenges.add(answer.substring(26, 42)));
    }
    counter(card, 0xFFFFFF);
    assertEquals("6985", send(card, INITIALIZE));
    // Another key set is told before.
    assertEquals("6a88", send(card, INITIALIZE.replace("805000", "80507E")));
  }

  /** The power fails at each write of EXTERNAL AUTHENTICATE and of PUT KEY: one state or the other, and no third. */
  @Test
  void powerCuts() throws Exception {
    JsonObject session = session(3);
    String next = session(4).getString("initializeUpdate").substring(0, 6);
    int cuts = 0;
    for (int k = 0; cut(card(), k, session.getString("externalAuthenticate"), session); k++) {
      cuts++;
    }
    assertEquals(2, cuts);
    JsonArray exchanges = session.getArray("exchanges");
    int put = exchanges.size() - 2;
    boolean fired = true;
    int old = 0;
    int changed = 0;
    for (int k = 0; fired; k++) {
      Card card = at(3);
      for (int i = 0; i < put; i++) {
        send(card, exchanges.getObject(i).getString("wrapped"));
      }
      card.arm(new Card.Cut(k, false));
      fired = card.transmit(HEX.parseHex(exchanges.getObject(put).getString("wrapped"))) == null;
      if (fired) {
        card.insert();
        select(card);
        if (send(card, next + "00080001020304050607").equals("6a88")) {
          assertEquals(0, changed, "the old set again");
          old++;
        } else {
          changed++;
        }
        // Whichever it is, it is whole.
        JsonObject following = session(changed == 0 ? 3 : 4);
        counter(card, following.getInt("sequenceCounter"));
        open(card, following);
        assertEquals(following.getArray("exchanges").getObject(0).getString("wrappedAnswer"),
            send(card, following.getArray("exchanges").getObject(0).getString("wrapped")));
      }
    }
    assertEquals("5 old, 1 new", old + " old, " + changed + " new");
  }

  private boolean cut(Card card, int k, String command, JsonObject session) throws Exception {
    counter(card, session.getInt("sequenceCounter"));
    send(card, session.getString("initializeUpdate"));
    card.arm(new Card.Cut(k, false));
    if (card.transmit(HEX.parseHex(command)) != null) {
      return false;
    }
    card.insert();
    select(card);
    assertEquals("6985", send(card, session.getArray("exchanges").getObject(0).getString("wrapped")));
    String counter = send(card, INITIALIZE).substring(58, 64);
    assertEquals("%06x".formatted(session.getInt("sequenceCounter") + k), counter);
    return true;
  }

  @Test
  void putKeyIsRefusedWholeOrTakenWhole() throws Exception {
    JsonArray wrong = transcripts.getArray("wrongPutKeys");
    for (int i = 0; i < wrong.size(); i++) {
      JsonObject attempt = wrong.getObject(i);
      Card card = card();
      open(card, attempt);
      exchange(card, attempt);
      // The present set is as it was.
      counter(card, 0);
      open(card, session(0));
    }
    assertTrue(wrong.size() > 10);
  }

  @Test
  void installedWithAKeySetOnly() throws Exception {
    byte[] right = installed(0);
    for (byte[] wrong : new byte[][] {new byte[0], Arrays.copyOf(right, 48), Arrays.copyOf(right, 50),
        version(right, 0), version(right, 0x80)}) {
      assertThrows(CardRuntime.InstallFailed.class, () -> card(wrong));
    }
    assertNotEquals(send(card(version(right, 2)), INITIALIZE), send(card(right), INITIALIZE));
  }

  private static byte[] version(byte[] installed, int version) {
    byte[] other = installed.clone();
    other[0] = (byte) version;
    return other;
  }
}
