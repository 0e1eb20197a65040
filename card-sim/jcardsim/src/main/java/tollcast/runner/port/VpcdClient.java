package tollcast.runner.port;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import tollcast.runner.card.Card;

/** Keeps a card connected to pcscd's vpcd. It connects again after pcscd restarted or the card was inserted. */
public final class VpcdClient {
  private static final int MIN_WAIT_MS = 20;
  private static final int MAX_WAIT_MS = 500;
  private static final int CONNECT_TIMEOUT_MS = 2_000;

  private final Card card;
  private final String host;
  private final int port;

  /** @param address HOST:PORT */
  public VpcdClient(Card card, String address) {
    this.card = card;
    int colon = address.lastIndexOf(':');
    host = address.substring(0, colon);
    port = Integer.parseInt(address.substring(colon + 1));
    Thread thread = new Thread(this::run, "card " + card.id + " vpcd");
    thread.setDaemon(true);
    thread.start();
  }

  private void run() {
    int wait = MIN_WAIT_MS;
    boolean warned = false;
    try {
      while (card.awaitPresent()) {
        try (Socket socket = new Socket()) {
          socket.connect(new InetSocketAddress(host, port), CONNECT_TIMEOUT_MS);
          System.err.println("card " + card.id + ": connected to vpcd at " + host + ":" + port);
          warned = false;
          long since = System.nanoTime();
          boolean hasCardGone = new FrameConnection(socket, card).serve();
          if (hasCardGone || System.nanoTime() - since > MAX_WAIT_MS * 1_000_000L) {
            wait = MIN_WAIT_MS;
          }
        } catch (IOException e) {
          if (!warned) {
            System.err.println("card " + card.id + ": no vpcd at " + host + ":" + port + " (" + e.getMessage()
                + "), trying again; start pcscd with vsmartcard-vpcd installed");
            warned = true;
          }
        }
        Thread.sleep(wait);
        wait = Math.min(2 * wait, MAX_WAIT_MS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
