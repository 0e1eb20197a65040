package tollcast.runner.card;

import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Set;
import tollcast.runner.runtime.CardRuntime;
import tollcast.runner.runtime.Chip;

/**
 * One card as the command line describes it.
 *
 * @param tcp port on 127.0.0.1, 0 for any, -1 for none
 * @param vpcd HOST:PORT of pcscd's vpcd, or null
 * @param state file of the card's EEPROM, or null for a card in memory
 * @param ram octets of transient memory for the applet, 0 for no limit
 * @param commit octets a transaction may change
 * @param chip how the chip differs from jCardSim's
 * @param buffer octets of the APDU buffer
 */
public record CardSpec(String applet, byte[] aid, byte[] install, int tcp, String vpcd, Path state, byte[] atr,
    int ram, int commit, Chip chip, int buffer) {
  public static final String KEYS =
      "tcp=PORT, vpcd=HOST:PORT, state=FILE, install=HEX, atr=HEX, ram=OCTETS, commit=OCTETS, strict=0|1, "
          + "t0=0|1, p256=0|1, mac=0|1, buffer=OCTETS";
  private static final int MAX_ATR = 33;

  /** The applet that cards hold unless their own description says otherwise, and its parameters. */
  public record Defaults(String applet, byte[] aid, byte[] install) {}

  /** @throws IllegalArgumentException naming what is wrong and what may stand there */
  public static CardSpec parse(String text, Defaults defaults) {
    int tcp = -1;
    String vpcd = null;
    Path state = null;
    byte[] install = defaults.install;
    byte[] atr = null;
    int ram = 0;
    int commit = Short.MAX_VALUE;
    boolean strict = false;
    boolean t0 = false;
    boolean p256 = true;
    boolean mac = true;
    int buffer = CardRuntime.MAX_BUFFER;
    for (String part : text.split(",")) {
      int equals = part.indexOf('=');
      String key = equals < 0 ? part : part.substring(0, equals);
      String value = equals < 0 ? "" : part.substring(equals + 1);
      switch (key) {
        case "tcp" -> tcp = number(key, value, 0, 65_535);
        case "vpcd" -> vpcd = address(value);
        case "state" -> state = Path.of(value).toAbsolutePath();
        case "install" -> install = hex(key, value);
        case "atr" -> atr = hex(key, value);
        case "ram" -> ram = number(key, value, 0, Short.MAX_VALUE);
        case "commit" -> commit = number(key, value, 1, Short.MAX_VALUE);
        case "strict" -> strict = number(key, value, 0, 1) == 1;
        case "t0" -> t0 = number(key, value, 0, 1) == 1;
        case "p256" -> p256 = number(key, value, 0, 1) == 1;
        case "mac" -> mac = number(key, value, 0, 1) == 1;
        case "buffer" -> buffer = number(key, value, CardRuntime.MIN_BUFFER, CardRuntime.MAX_BUFFER);
        default -> throw new IllegalArgumentException("--card " + text + ": unknown \"" + key + "\"; use " + KEYS);
      }
    }
    if (tcp < 0 && vpcd == null) {
      throw new IllegalArgumentException("--card " + text + ": nothing reaches the card; "
          + "add tcp=0 or vpcd=HOST:PORT");
    }
    if (atr == null) {
      atr = hex("atr", t0 ? "3B00" : "3B80800101");
    }
    if (atr.length < 2 || atr.length > MAX_ATR) {
      throw new IllegalArgumentException("--card " + text + ": an ATR has 2 to " + MAX_ATR + " octets");
    }
    return new CardSpec(defaults.applet, defaults.aid, install, tcp, vpcd, state, atr, ram, commit,
        new Chip(p256, mac, strict, t0), buffer);
  }

  public static byte[] hex(String what, String value) {
    try {
      return HexFormat.of().parseHex(value);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(what + ": give pairs of hexadecimal digits", e);
    }
  }

  private static int number(String key, String value, int min, int max) {
    try {
      int number = Integer.parseInt(value);
      if (number >= min && number <= max) {
        return number;
      }
    } catch (NumberFormatException e) {
      // The exception below says what may stand there.
    }
    throw new IllegalArgumentException(key + "=" + value + ": give a number from " + min + " to " + max);
  }

  private static String address(String value) {
    int colon = value.lastIndexOf(':');
    if (colon < 1) {
      throw new IllegalArgumentException("vpcd=" + value
          + ": give HOST:PORT, for pcscd on this machine 127.0.0.1:35963");
    }
    number("vpcd port", value.substring(colon + 1), 1, 65_535);
    return value;
  }
}
