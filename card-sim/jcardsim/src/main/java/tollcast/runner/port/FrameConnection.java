package tollcast.runner.port;

import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import jdk.net.ExtendedSocketOptions;
import tollcast.runner.card.Card;

/**
 * vpcd's framing on one socket, the card's side: length (2 octets, big-endian) and payload; a payload of one octet is
 * for the reader: 0 power off, 1 power on, 2 reset, 4 tell the ATR. While another connection uses the card, a sentence
 * that says so stands in the place of the ATR, which is never as long.
 */
public final class FrameConnection implements Closeable {
  /** A reader asks for power at once; whoever says nothing must not keep a place for ever. */
  public static final int FIRST_FRAME_MS = 10_000;
  private static final int LENGTH = 2;
  private static final int MAX_FRAME = LENGTH + 65_535;

  private static final byte[] IN_USE =
      "in use: another program has this card; end that program first".getBytes(StandardCharsets.US_ASCII);

  private final Socket socket;
  private final Card card;
  private final boolean quickAck;
  /** Whether the card was in use by another connection when this one asked for power. */
  private boolean isRefused;

  public FrameConnection(Socket socket, Card card) throws IOException {
    this(socket, card, 0);
  }

  /** @param firstFrameMs the connection is closed when it has not said anything by then; 0 for no such limit */
  public FrameConnection(Socket socket, Card card, int firstFrameMs) throws IOException {
    this.socket = socket;
    this.card = card;
    socket.setSoTimeout(firstFrameMs);
    socket.setTcpNoDelay(true);
    quickAck = socket.supportedOptions().contains(ExtendedSocketOptions.TCP_QUICKACK);
  }

  /**
   * Serves the peer until it goes or the card does.
   *
   * @return whether it was the card that went
   */
  public boolean serve() {
    if (!card.connect(this)) {
      close();
      return true;
    }
    try {
      InputStream in = socket.getInputStream();
      byte[] buffer = new byte[MAX_FRAME];
      int have = 0;
      for (;;) {
        int length = have < LENGTH ? -1 : (buffer[0] & 0xFF) << 8 | buffer[1] & 0xFF;
        if (length < 0 || have < LENGTH + length) {
          // vpcd sends length and payload apart, under Nagle's algorithm, so our ACK must not wait for the rest. The
          // kernel forgets the option, so it is set before every read.
          if (quickAck) {
            socket.setOption(ExtendedSocketOptions.TCP_QUICKACK, true);
          }
          int read = in.read(buffer, have, buffer.length - have);
          if (read < 0) {
            return false;
          }
          have += read;
          continue;
        }
        byte[] payload = Arrays.copyOfRange(buffer, LENGTH, LENGTH + length);
        have -= LENGTH + length;
        System.arraycopy(buffer, LENGTH + length, buffer, 0, have);
        socket.setSoTimeout(0);
        if (!handle(payload)) {
          return !card.isUsedByAnother(this);
        }
      }
    } catch (IOException e) {
      if (socket.isClosed()) {
        return true;
      }
      System.err.println("card " + card.id + ": connection lost: " + e.getMessage());
      return false;
    } finally {
      card.disconnect(this);
      close();
    }
  }

  private boolean handle(byte[] payload) throws IOException {
    if (payload.length == 1) {
      switch (payload[0]) {
        case 0 -> card.powerOff(this);
        case 1, 2 -> isRefused = !card.powerOn(this);
        case 4 -> send(isRefused ? IN_USE : card.spec.atr());
        default -> System.err.println("card " + card.id + ": unknown reader control " + payload[0] + " ignored");
      }
      return true;
    }
    if (card.isUsedByAnother(this)) {
      return false;
    }
    byte[] response = card.transmit(payload);
    if (response == null) {
      return false;
    }
    send(response);
    return true;
  }

  /** Sends a frame by one write; Nagle's algorithm would hold a second one back. */
  private void send(byte[] payload) throws IOException {
    byte[] frame = new byte[LENGTH + payload.length];
    frame[0] = (byte) (payload.length >> 8);
    frame[1] = (byte) payload.length;
    System.arraycopy(payload, 0, frame, LENGTH, payload.length);
    OutputStream out = socket.getOutputStream();
    out.write(frame);
  }

  @Override
  public void close() {
    try {
      socket.close();
    } catch (IOException e) {
      // It is closed either way.
    }
  }
}
