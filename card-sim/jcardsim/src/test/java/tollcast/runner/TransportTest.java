package tollcast.runner;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.grack.nanojson.JsonObject;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tollcast.runner.port.FrameConnection;
import tollcast.runner.port.TcpPort;
import tollcast.testapplet.TestApplet;

@Timeout(20)
class TransportTest {
  private static final InetAddress LOOPBACK = InetAddress.getLoopbackAddress();
  private final Cards cards = new Cards(LOOPBACK, Rig.DEFAULTS);
  private ControlServer control;

  @AfterEach
  void close() throws IOException {
    cards.close();
    if (control != null) {
      control.close();
    }
  }

  /** The reader's side of one connection, whichever side opened it. */
  private record Reader(Socket socket, DataInputStream in, DataOutputStream out) implements AutoCloseable {
    Reader(Socket socket) throws IOException {
      this(socket, new DataInputStream(socket.getInputStream()), new DataOutputStream(socket.getOutputStream()));
      socket.setTcpNoDelay(true);
    }

    void frame(byte... payload) throws IOException {
      byte[] frame = new byte[2 + payload.length];
      frame[0] = (byte) (payload.length >> 8);
      frame[1] = (byte) payload.length;
      System.arraycopy(payload, 0, frame, 2, payload.length);
      out.write(frame);
    }

    String answer() throws IOException {
      return HexFormat.of().formatHex(in.readNBytes(in.readUnsignedShort()));
    }

    String send(byte... command) throws IOException {
      frame(command);
      return answer();
    }

    boolean dropped() throws IOException {
      try {
        return in.read() < 0;
      } catch (java.net.SocketException e) {
        return true;
      }
    }

    @Override
    public void close() throws IOException {
      socket.close();
    }
  }

  private Reader connect(int id) throws IOException {
    return new Reader(new Socket(LOOPBACK, cards.get(id).tcp().port()));
  }

  private JsonObject ask(String request) throws Exception {
    if (control == null) {
      control = new ControlServer(LOOPBACK, 0, cards);
    }
    return askAsStranger(request.replaceFirst("^\\{(?=(.))", "{'token':'" + control.token() + "',")
        .replace(",}", "}"));
  }

  private JsonObject askAsStranger(String request) throws Exception {
    try (Socket socket = new Socket(LOOPBACK, control.port())) {
      socket.getOutputStream().write((request.replace('\'', '"') + "\n").getBytes());
      byte[] line = new byte[4096];
      int length = 0;
      do {
        length += socket.getInputStream().read(line, length, line.length - length);
      } while (line[length - 1] != '\n');
      return com.grack.nanojson.JsonParser.object().from(new String(line, 0, length));
    }
  }

  @Test
  void aLatePowerOffFromOneReaderDoesNotReachTheNext() throws Exception {
    cards.add("tcp=0");
    try (Reader first = connect(0); Reader second = connect(0)) {
      first.frame((byte) 1);
      assertEquals("3b80800101", first.send((byte) 4));
      first.frame((byte) 0);
      assertEquals("3b80800101", first.send((byte) 4));
      second.frame((byte) 1);
      assertEquals("9000", second.send(Rig.SELECT));
      first.frame((byte) 0);
      assertEquals("3b80800101", first.send((byte) 4));
      assertEquals("00019000", second.send((byte) 0x80, TestApplet.COUNT, (byte) 0, (byte) 0, (byte) 0));
      second.frame((byte) 0);
      assertEquals("6986", second.send((byte) 0x80, TestApplet.COUNT, (byte) 0, (byte) 0, (byte) 0));
    }
  }

  @Test
  void aSecondReaderOfACardInUseIsToldSoAndDisturbsNothing() throws Exception {
    cards.add("tcp=0");
    try (Reader second = connect(0)) {
      try (Reader first = connect(0)) {
        first.frame((byte) 1);
        assertEquals("9000", first.send(Rig.SELECT));
        second.frame((byte) 1);
        String said = new String(HexFormat.of().parseHex(second.send((byte) 4)));
        assertEquals("in use: another program has this card; end that program first", said);
        assertEquals("00019000", first.send((byte) 0x80, TestApplet.COUNT, (byte) 0, (byte) 0, (byte) 0));
        second.frame(Rig.SELECT);
        assertTrue(second.dropped());
        assertEquals("00029000", first.send((byte) 0x80, TestApplet.COUNT, (byte) 0, (byte) 0, (byte) 0));
      }
    }
    while (cards.get(0).card().info().connections() > 0) {
      Thread.sleep(1);
    }
    try (Reader third = connect(0)) {
      third.frame((byte) 1);
      assertEquals("3b80800101", third.send((byte) 4));
      assertEquals("6986", third.send((byte) 0x80, TestApplet.COUNT, (byte) 0, (byte) 0, (byte) 0));
    }
  }

  @Test
  void framesArriveWholeSplitOrTogether() throws Exception {
    cards.add("tcp=0");
    try (Reader reader = connect(0)) {
      reader.frame((byte) 1);
      assertEquals("3b80800101", reader.send((byte) 4));
      assertEquals("9000", reader.send(Rig.SELECT));
      // Octet by octet.
      byte[] count = {0, 5, (byte) 0x80, TestApplet.COUNT, 0, 0, 0};
      for (byte octet : count) {
        reader.out.write(octet);
        Thread.sleep(2);
      }
      assertEquals("00019000", reader.answer());
      // Two in one write.
      byte[] twice = java.util.Arrays.copyOf(count, 14);
      System.arraycopy(count, 0, twice, 7, 7);
      reader.out.write(twice);
      assertEquals("00029000", reader.answer());
      assertEquals("00039000", reader.answer());
      // The longest frame; and an empty one is a malformed command.
      assertEquals("6700", reader.send(new byte[65_535]));
      assertEquals("6700", reader.send());
      // Reset and power off clear RAM: no applet is selected.
      reader.frame((byte) 2);
      assertEquals("6986", reader.send((byte) 0x80, TestApplet.COUNT, (byte) 0, (byte) 0, (byte) 0));
      assertEquals("9000", reader.send(Rig.SELECT));
      reader.frame((byte) 0);
      reader.frame((byte) 1);
      assertEquals("6986", reader.send((byte) 0x80, TestApplet.COUNT, (byte) 0, (byte) 0, (byte) 0));
    }
  }

  @Test
  void powerGoesWithTheLastReader() throws Exception {
    cards.add("tcp=0");
    try (Reader reader = connect(0)) {
      assertEquals("9000", reader.send(Rig.SELECT));
    }
    while (cards.get(0).card().info().connections() > 0) {
      Thread.sleep(2);
    }
    assertFalse(cards.get(0).card().info().powered());
    try (Reader reader = connect(0)) {
      assertEquals("6986", reader.send((byte) 0x80, TestApplet.COUNT, (byte) 0, (byte) 0, (byte) 0));
    }
  }

  @Test
  void pullDropsAndRefusesUntilInsert() throws Exception {
    cards.add("tcp=0");
    try (Reader reader = connect(0)) {
      assertEquals("9000", reader.send(Rig.SELECT));
      assertTrue(ask("{'card':0,'do':'pull'}").getBoolean("ok"));
      assertTrue(reader.dropped());
    }
    try (Reader reader = connect(0)) {
      assertTrue(reader.dropped());
    }
    assertFalse(ask("{'do':'info'}").getBoolean("present"));
    ask("{'card':0,'do':'insert'}");
    try (Reader reader = connect(0)) {
      assertEquals("9000", reader.send(Rig.SELECT));
    }
  }

  @Test
  void cutOverControl() throws Exception {
    cards.add("tcp=0");
    byte[] count = {(byte) 0x80, TestApplet.COUNT, 0, 0, 0};
    for (String how : new String[] {"'k':0", "'k':1", "'afterLast':true"}) {
      try (Reader reader = connect(0)) {
        assertEquals("9000", reader.send(Rig.SELECT));
        assertTrue(ask("{'card':0,'do':'cut'," + how + "}").getBoolean("ok"));
        reader.frame(count);
        assertTrue(reader.dropped());
      }
      ask("{'do':'insert'}");
    }
    JsonObject counts = ask("{'do':'counts'}");
    assertEquals(3, counts.getInt("cutsFired"));
    assertEquals(2, counts.getInt("persistentWrites"));
    try (Reader reader = connect(0)) {
      reader.send(Rig.SELECT);
      assertEquals("00039000", reader.send(count));
    }
    ask("{'do':'resetCounts'}");
    assertEquals(0, ask("{'do':'counts'}").getInt("commands"));
    ask("{'do':'erase'}");
    try (Reader reader = connect(0)) {
      reader.send(Rig.SELECT);
      assertEquals("00019000", reader.send(count));
    }
  }

  @Test
  void controlRefusesWhatItDoesNotKnow() throws Exception {
    cards.add("tcp=0");
    for (String bad : new String[] {"", "x", "[]", "{}", "{'do':'fly'}", "{'card':1,'do':'pull'}",
        "{'card':-1,'do':'pull'}",
        "{'do':'cut'}", "{'do':'cut','k':-1}", "{'do':'cut','k':1.5}", "{'do':'add','spec':'tcp=99999'}",
        "{'do':'add','spec':'bogus=1'}", "{'do':'add','spec':''}"}) {
      JsonObject answer = ask(bad);
      assertFalse(answer.getBoolean("ok", true), bad);
      assertFalse(answer.getString("error").isEmpty(), bad);
    }
  }

  @Test
  void controlAnswersNobodyWithoutTheToken() throws Exception {
    cards.add("tcp=0");
    control = new ControlServer(LOOPBACK, 0, cards);
    for (String request : new String[] {"{'do':'pull'}", "{'do':'pull','token':''}", "{'do':'pull','token':7}",
        "{'do':'pull','token':'" + "0".repeat(control.token().length()) + "'}"}) {
      assertFalse(askAsStranger(request).getBoolean("ok", true), request);
      assertTrue(ask("{'do':'info'}").getBoolean("present"), request);
    }
  }

  @Test
  void whoeverConnectsOftenTakesABoundedNumberOfThreads() throws Exception {
    cards.add("tcp=0");
    List<Socket> idle = new ArrayList<>();
    try {
      for (int i = 0; i < 200; i++) {
        idle.add(new Socket(LOOPBACK, cards.get(0).tcp().port()));
      }
      Thread.sleep(300);
      assertTrue(connectionThreads() <= TcpPort.MAX_CONNECTIONS, connectionThreads() + " threads");
    } finally {
      for (Socket socket : idle) {
        socket.close();
      }
    }
    while (connectionThreads() > 0) {
      Thread.sleep(10);
    }
    try (Reader reader = connect(0)) {
      assertEquals("3b80800101", reader.send((byte) 4));
    }
  }

  @Test
  void whoeverSaysNothingIsLetGoAndWhoeverSpokeOnceIsNot() throws Exception {
    Rig rig = Rig.inMemory();
    try (ServerSocket server = new ServerSocket(0, 2, LOOPBACK);
        Socket silent = new Socket(LOOPBACK, server.getLocalPort())) {
      // It returns when the connection is over.
      new FrameConnection(server.accept(), rig.card, 50).serve();
      assertEquals(-1, silent.getInputStream().read());
    }
    try (ServerSocket server = new ServerSocket(0, 2, LOOPBACK);
        Socket idle = new Socket(LOOPBACK, server.getLocalPort())) {
      Socket served = server.accept();
      Thread thread = new Thread(() -> {
        try {
          new FrameConnection(served, rig.card, 2_000).serve();
        } catch (IOException e) {
          // The test ends it.
        }
      });
      thread.start();
      idle.getOutputStream().write(new byte[] {0, 1, 4});
      assertEquals(0, idle.getInputStream().read());
      assertEquals(0, served.getSoTimeout());
    }
  }

  private static long connectionThreads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().equals("card 0 tcp connection")).count();
  }

  @Test
  void cardsComeAndGoAtRunTime() throws Exception {
    cards.add("tcp=0");
    JsonObject added = ask("{'do':'add','spec':'tcp=0,atr=3B00'}").getObject("card");
    assertEquals(1, added.getInt("id"));
    try (Reader reader = new Reader(new Socket(LOOPBACK, added.getInt("tcp")))) {
      assertEquals("3b00", reader.send((byte) 4));
      ask("{'card':1,'do':'remove'}");
      assertTrue(reader.dropped());
    }
    assertFalse(ask("{'card':1,'do':'info'}").getBoolean("ok"));
    assertTrue(ask("{'card':0,'do':'info'}").getBoolean("ok"));
  }

  @Test
  void connectsToVpcdAgainAndAgain() throws Exception {
    try (ServerSocket vpcd = new ServerSocket(0, 5, LOOPBACK)) {
      cards.add("vpcd=127.0.0.1:" + vpcd.getLocalPort());
      for (int round = 0; round < 3; round++) {
        try (Reader reader = new Reader(vpcd.accept())) {
          reader.frame((byte) 1);
          assertEquals("3b80800101", reader.send((byte) 4));
          assertEquals("9000", reader.send(Rig.SELECT));
        }
      }
      try (Reader reader = new Reader(vpcd.accept())) {
        assertEquals("9000", reader.send(Rig.SELECT));
        cards.get(0).card().pull();
        assertTrue(reader.dropped());
      }
      vpcd.setSoTimeout(700);
      org.junit.jupiter.api.Assertions.assertThrows(java.net.SocketTimeoutException.class, vpcd::accept);
      vpcd.setSoTimeout(5_000);
      cards.get(0).card().insert();
      try (Reader reader = new Reader(vpcd.accept())) {
        assertEquals("9000", reader.send(Rig.SELECT));
      }
    }
  }

  @Test
  void pulledCardComesBackWithoutPause() throws Exception {
    try (ServerSocket vpcd = new ServerSocket(0, 5, LOOPBACK)) {
      cards.add("vpcd=127.0.0.1:" + vpcd.getLocalPort());
      long since = System.nanoTime();
      for (int round = 0; round < 12; round++) {
        try (Reader reader = new Reader(vpcd.accept())) {
          assertEquals("9000", reader.send(Rig.SELECT));
          cards.get(0).card().pull();
          assertTrue(reader.dropped());
          cards.get(0).card().insert();
        }
      }
      // Growing pauses would take 4 s.
      assertTrue(System.nanoTime() - since < 2_000_000_000L);
    }
  }
}
