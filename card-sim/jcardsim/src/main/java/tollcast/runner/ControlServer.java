package tollcast.runner;

import com.grack.nanojson.JsonObject;
import com.grack.nanojson.JsonParser;
import com.grack.nanojson.JsonParserException;
import com.grack.nanojson.JsonWriter;
import java.io.BufferedReader;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.HexFormat;
import tollcast.runner.card.Card;
import tollcast.runner.card.CardSpec;
import tollcast.runner.memory.Counts;
import tollcast.runner.memory.Eeprom;
import tollcast.runner.port.TcpPort;
import tollcast.runner.runtime.CardRuntime;

/**
 * The control channel of tests: one JSON object a line in, one JSON line out. Each request has the token of the ready
 * line, which the one who started the runner reads, and no other user of the machine.
 */
final class ControlServer implements Closeable {
  private static final int MAX_LINE = 4_096;
  /** Milliseconds in which the first right request has to come. */
  private static final int FIRST_REQUEST = 5_000;
  private static final int TOKEN_LENGTH = 16;

  private final Cards cards;
  private final String token;
  private final TcpPort tcp;

  /** @param port 0 for any */
  ControlServer(InetAddress listen, int port, Cards cards) throws IOException {
    this.cards = cards;
    byte[] random = new byte[TOKEN_LENGTH];
    new SecureRandom().nextBytes(random);
    token = HexFormat.of().formatHex(random);
    tcp = new TcpPort(listen, port, "control", this::serve);
  }

  int port() {
    return tcp.port();
  }

  String token() {
    return token;
  }

  private void serve(Socket socket) {
    try (socket) {
      socket.setTcpNoDelay(true);
      socket.setSoTimeout(FIRST_REQUEST);
      BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
      OutputStream out = socket.getOutputStream();
      for (String line = readLine(in); line != null; line = readLine(in)) {
        JsonObject answer = answer(line);
        out.write((JsonWriter.string(answer == null ? STRANGER : answer) + "\n").getBytes(StandardCharsets.UTF_8));
        if (answer == null) {
          return;
        }
        socket.setSoTimeout(0);
      }
    } catch (SocketTimeoutException e) {
      // Whoever it is wanted nothing.
    } catch (IOException e) {
      System.err.println("control: connection lost: " + e.getMessage());
    }
  }

  private static String readLine(BufferedReader in) throws IOException {
    StringBuilder line = new StringBuilder();
    for (int c = in.read(); c != '\n'; c = in.read()) {
      if (c < 0) {
        return null;
      }
      if (line.length() == MAX_LINE) {
        throw new IOException("a line has more than " + MAX_LINE + " characters; send one JSON object a line");
      }
      line.append((char) c);
    }
    return line.toString();
  }

  /** @return null when the request has not the token */
  private JsonObject answer(String line) {
    try {
      JsonObject request = JsonParser.object().from(line);
      byte[] given = request.getString("token", "").getBytes(StandardCharsets.UTF_8);
      if (!MessageDigest.isEqual(given, token.getBytes(StandardCharsets.UTF_8))) {
        return null;
      }
      return answer(request);
    } catch (JsonParserException e) {
      return null;
    } catch (IllegalArgumentException | IOException | CardRuntime.InstallFailed e) {
      return refusal(e.getMessage());
    }
  }

  private static final JsonObject STRANGER =
      refusal("this is not a JSON object on one line with the \"token\" of the ready line; add it");

  private static JsonObject refusal(String why) {
    JsonObject refusal = new JsonObject();
    refusal.put("ok", false);
    refusal.put("error", why);
    return refusal;
  }

  private JsonObject answer(JsonObject request) throws IOException, CardRuntime.InstallFailed {
    JsonObject answer = new JsonObject();
    answer.put("ok", true);
    String what = request.getString("do", "");
    if (what.equals("hello")) {
      // A client that has nothing to ask yet shows that it has the token, so that its connection may stay idle.
      return answer;
    }
    if (what.equals("add")) {
      answer.put("card", describe(cards.add(request.getString("spec", ""))));
      return answer;
    }
    int id = request.getInt("card", 0);
    Card card = cards.get(id).card();
    switch (what) {
      case "pull" -> card.pull();
      case "insert" -> card.insert();
      case "reset" -> card.powerOn();
      case "cut" -> card.arm(cut(request));
      case "failEngines" -> card.failEngines(requireCount(request, "failEngines needs \"k\", the calls that work (0 or more)"));
      case "counts" -> counts(card.counts(), answer);
      case "resetCounts" -> card.resetCounts();
      case "erase" -> card.erase();
      case "remove" -> cards.remove(id);
      case "info" -> info(cards.get(id), answer);
      default -> throw new IllegalArgumentException("\"do\" is one of hello, pull, insert, reset, cut, failEngines, counts, "
          + "resetCounts, erase, info, add, remove");
    }
    return answer;
  }

  private static Card.Cut cut(JsonObject request) {
    if (request.getBoolean("afterLast", false)) {
      return new Card.Cut(Eeprom.NEVER, true);
    }
    return new Card.Cut(requireCount(request,
        "cut needs \"k\", the number of writes before the power fails (0 or more), or \"afterLast\": true"), false);
  }

  private static long requireCount(JsonObject request, String need) {
    Number count = request.getNumber("k");
    if (count == null || count.longValue() < 0 || count.doubleValue() != count.longValue()) {
      throw new IllegalArgumentException(need);
    }
    return count.longValue();
  }

  private static void counts(Counts counts, JsonObject answer) {
    answer.put("commands", counts.commands);
    answer.put("persistentWrites", counts.persistentWrites);
    answer.put("persistentOctets", counts.persistentOctets);
    answer.put("keySets", counts.keySets);
    answer.put("cipherInits", counts.cipherInits);
    answer.put("transactions", counts.transactions);
    answer.put("maxTransactionOctets", counts.maxTransactionOctets);
    answer.put("cutsFired", counts.cutsFired);
  }

  private static void info(Cards.Entry entry, JsonObject answer) {
    Card.Info info = entry.card().info();
    answer.put("card", describe(entry));
    answer.put("present", info.present());
    answer.put("powered", info.powered());
    answer.put("connections", info.connections());
    answer.put("ramOctets", info.ramOctets());
    answer.put("ramDeselectOctets", info.ramDeselectOctets());
    answer.put("saves", info.saves());
    answer.put("saveMicros", info.saveMicros());
  }

  /** {"id":0,"tcp":PORT or null,"vpcd":"host:port" or null,"state":path or null} */
  static JsonObject describe(Cards.Entry entry) {
    CardSpec spec = entry.card().spec;
    JsonObject card = new JsonObject();
    card.put("id", entry.card().id);
    card.put("tcp", entry.tcp() == null ? null : entry.tcp().port());
    card.put("vpcd", spec.vpcd());
    card.put("state", spec.state() == null ? null : spec.state().toString());
    return card;
  }

  @Override
  public void close() throws IOException {
    tcp.close();
  }
}
