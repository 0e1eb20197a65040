package tollcast.runner;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import java.nio.file.Path;
import java.util.HexFormat;
import tollcast.runner.card.Card;
import tollcast.runner.card.CardSpec;
import tollcast.runner.memory.Counts;
import tollcast.testapplet.TestApplet;

/** A card with the test applet, and commands to it. */
final class Rig {
  static final String AID = "F0544F4C4C54455354";
  static final CardSpec.Defaults DEFAULTS =
      new CardSpec.Defaults(TestApplet.class.getName(), HexFormat.of().parseHex(AID), new byte[] {1, 2, 3});
  static final byte[] DATA = HexFormat.of().parseHex("A0A1A2A3A4A5A6A7A8A9AAABACADAEAF");
  static final byte[] SELECT = HexFormat.of().parseHex("00A4040009" + AID);

  final Card card;

  Rig(String spec) throws Exception {
    card = new Card(0, CardSpec.parse("tcp=0" + spec, DEFAULTS));
    select();
  }

  static Rig inMemory() throws Exception {
    return new Rig("");
  }

  static Rig at(Path file) throws Exception {
    return new Rig(",state=" + file);
  }

  void select() throws Exception {
    assertEquals("9000", HexFormat.of().formatHex(card.transmit(SELECT)));
  }

  /** Takes the card out and back in, so that RAM is lost, and selects the applet. */
  void restart() throws Exception {
    card.pull();
    card.insert();
    select();
  }

  static byte[] command(byte ins, int p1, byte... data) {
    byte[] command = new byte[5 + data.length + (data.length == 0 ? 0 : 1)];
    command[0] = (byte) 0x80;
    command[1] = ins;
    command[2] = (byte) p1;
    command[4] = (byte) data.length;
    System.arraycopy(data, 0, command, 5, data.length);
    return command;
  }

  /** The response in hexadecimal, or "cut". */
  String send(byte ins, int p1, byte... data) throws Exception {
    byte[] response = card.transmit(command(ins, p1, data));
    return response == null ? "cut" : HexFormat.of().withUpperCase().formatHex(response);
  }

  /** Data of a response that must end in 9000. */
  String ok(byte ins, int p1, byte... data) throws Exception {
    String response = send(ins, p1, data);
    assertNotNull(response);
    assertEquals("9000", response.substring(response.length() - 4), response);
    return response.substring(0, response.length() - 4);
  }

  /** Everything persistent, as hexadecimal: status, record, and what the persistent key encrypts. */
  String state() throws Exception {
    restart();
    String status = ok(TestApplet.STATUS, 0);
    boolean keyed = status.startsWith("01", 26);
    return status + ok(TestApplet.READ, 0) + (keyed ? encryptWithNewInit() : "");
  }

  private String encryptWithNewInit() throws Exception {
    ok(TestApplet.INIT_CIPHER, 0, new byte[16]);
    return ok(TestApplet.ENCRYPT, 0, new byte[16]);
  }

  Counts counts() {
    return card.counts();
  }
}
