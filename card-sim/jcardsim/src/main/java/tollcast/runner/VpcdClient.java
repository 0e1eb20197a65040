package tollcast.runner;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;

/** Keeps a card connected to pcscd's vpcd, again and again as pcscd restarts or the card is pulled and inserted. */
final class VpcdClient {
  private static final int FIRST_WAIT_MS = 20;
  private static final int LONGEST_WAIT_MS = 500;
  private static final int CONNECT_TIMEOUT_MS = 2_000;

  private final Card card;
  private final String host;
  private final int port;

  /** @param address HOST:PORT */
  VpcdClient(Card card, String address) {
    this.card = card;
    int colon = address.lastIndexOf(':');
    host = address.substring(0, colon);
    port = Integer.parseInt(address.substring(colon + 1));
    Thread thread = new Thread(this::run, "card " + card.id + " vpcd");
    thread.setDaemon(true);
    thread.start();
  }

  private void run() {
    int wait = FIRST_WAIT_MS;
    boolean said = false;
    try {
      while (card.awaitPresent()) {
        try (Socket socket = new Socket()) {
          socket.connect(new InetSocketAddress(host, port), CONNECT_TIMEOUT_MS);
          System.err.println("card " + card.id + ": connected to vpcd at " + host + ":" + port);
          said = false;
          long since = System.nanoTime();
          new FrameConnection(socket, card).serve();
          if (System.nanoTime() - since > LONGEST_WAIT_MS * 1_000_000L) {
            wait = FIRST_WAIT_MS;
          }
        } catch (IOException e) {
          if (!said) {
            System.err.println("card " + card.id + ": no vpcd at " + host + ":" + port + " (" + e.getMessage()
                + "), trying on; start pcscd with vsmartcard-vpcd installed");
            said = true;
          }
        }
        Thread.sleep(wait);
        wait = Math.min(2 * wait, LONGEST_WAIT_MS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
