package tollcast.runner.port;

import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.concurrent.Semaphore;
import java.util.function.Consumer;

/** A port that listens. Each connection gets a thread of its own; one too many is closed at once. */
public final class TcpPort implements Closeable {
  /** A card has a client or two; whoever connects more often must not take all memory. */
  public static final int MAX_CONNECTIONS = 16;

  private final Semaphore places = new Semaphore(MAX_CONNECTIONS);
  private final ServerSocket server;

  /**
   * @param port 0 for any
   * @throws IOException the port is taken
   */
  public TcpPort(InetAddress address, int port, String name, Consumer<Socket> serve) throws IOException {
    server = new ServerSocket();
    server.setReuseAddress(true);
    try {
      server.bind(new InetSocketAddress(address, port));
    } catch (IOException e) {
      server.close();
      throw new IOException(name + ": port " + port + " is not free (" + e.getMessage()
          + "); choose another, or 0 for any", e);
    }
    Thread thread = new Thread(() -> accept(name, serve), name);
    thread.setDaemon(true);
    thread.start();
  }

  private void accept(String name, Consumer<Socket> serve) {
    for (;;) {
      Socket socket;
      try {
        socket = server.accept();
      } catch (IOException e) {
        if (!server.isClosed()) {
          System.err.println(name + ": no longer listening: " + e.getMessage());
        }
        return;
      }
      if (!places.tryAcquire()) {
        refuse(socket);
        continue;
      }
      Thread thread = new Thread(() -> {
        try {
          serve.accept(socket);
        } finally {
          places.release();
        }
      }, name + " connection");
      thread.setDaemon(true);
      thread.start();
    }
  }

  private static void refuse(Socket socket) {
    try {
      socket.close();
    } catch (IOException e) {
      // It is closed either way.
    }
  }

  public int port() {
    return server.getLocalPort();
  }

  @Override
  public void close() throws IOException {
    server.close();
  }
}
