package tollcast.runner;

import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import tollcast.runner.card.Card;
import tollcast.runner.card.CardSpec;
import tollcast.runner.port.FrameConnection;
import tollcast.runner.port.TcpPort;
import tollcast.runner.port.VpcdClient;
import tollcast.runner.runtime.CardRuntime;

/** The cards of one process, each with its ports. They are numbered from 0 in the order in which they came. */
final class Cards implements Closeable {
  /** @param tcp null if the card has no TCP port */
  record Entry(Card card, TcpPort tcp) {}

  private final List<Entry> entries = new ArrayList<>();
  private final InetAddress listen;
  private final CardSpec.Defaults defaults;

  /** @param listen address of the TCP ports of cards */
  Cards(InetAddress listen, CardSpec.Defaults defaults) {
    this.listen = listen;
    this.defaults = defaults;
  }

  /**
   * @param text a card as {@code --card} describes it
   * @throws IllegalArgumentException the description is wrong
   * @throws IOException the port is taken, or the state file cannot be used
   */
  synchronized Entry add(String text) throws IOException, CardRuntime.InstallFailed {
    CardSpec spec = CardSpec.parse(text, defaults);
    Card card = new Card(entries.size(), spec);
    TcpPort tcp = null;
    if (spec.tcp() >= 0) {
      try {
        tcp = new TcpPort(listen, spec.tcp(), "card " + card.id + " tcp", socket -> {
          try {
            new FrameConnection(socket, card, FrameConnection.FIRST_FRAME_MS).serve();
          } catch (IOException e) {
            System.err.println("card " + card.id + ": " + e.getMessage());
          }
        });
      } catch (IOException e) {
        card.close();
        throw e;
      }
    }
    if (spec.vpcd() != null) {
      new VpcdClient(card, spec.vpcd());
    }
    Entry entry = new Entry(card, tcp);
    entries.add(entry);
    return entry;
  }

  /** Takes a card away for good; its number is not given again. */
  synchronized void remove(int id) throws IOException {
    Entry entry = get(id);
    entries.set(id, null);
    close(entry);
  }

  /** @throws IllegalArgumentException there is no such card */
  synchronized Entry get(int id) {
    Entry entry = id >= 0 && id < entries.size() ? entries.get(id) : null;
    if (entry == null) {
      throw new IllegalArgumentException("there is no card " + id
          + "; cards are numbered from 0, so name one that was added");
    }
    return entry;
  }

  synchronized List<Entry> all() {
    return entries.stream().filter(entry -> entry != null).toList();
  }

  private static void close(Entry entry) throws IOException {
    if (entry.tcp != null) {
      entry.tcp.close();
    }
    entry.card.close();
  }

  @Override
  public synchronized void close() throws IOException {
    for (Entry entry : all()) {
      close(entry);
    }
  }
}
