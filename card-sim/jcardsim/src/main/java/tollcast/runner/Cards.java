package tollcast.runner;

import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;

/** The cards of one process, each with its transports; numbered from 0 in the order they came. */
final class Cards implements Closeable {
  /** @param tcp null if the card has no TCP port */
  record Slot(Card card, TcpPort tcp) {}

  private final List<Slot> slots = new ArrayList<>();
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
  synchronized Slot add(String text) throws IOException, CardRuntime.InstallFailed {
    CardSpec spec = CardSpec.parse(text, defaults);
    Card card = new Card(slots.size(), spec);
    TcpPort tcp = null;
    if (spec.tcp() >= 0) {
      try {
        tcp = new TcpPort(listen, spec.tcp(), "card " + card.id + " tcp", socket -> {
          try {
            new FrameConnection(socket, card).serve();
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
    Slot slot = new Slot(card, tcp);
    slots.add(slot);
    return slot;
  }

  /** Takes a card away for good; its number is not given again. */
  synchronized void remove(int id) throws IOException {
    Slot slot = slot(id);
    slots.set(id, null);
    close(slot);
  }

  /** @throws IllegalArgumentException there is no such card */
  synchronized Slot slot(int id) {
    Slot slot = id >= 0 && id < slots.size() ? slots.get(id) : null;
    if (slot == null) {
      throw new IllegalArgumentException("no card " + id + "; cards are numbered from 0");
    }
    return slot;
  }

  synchronized List<Slot> all() {
    return slots.stream().filter(slot -> slot != null).toList();
  }

  private static void close(Slot slot) throws IOException {
    if (slot.tcp != null) {
      slot.tcp.close();
    }
    slot.card.close();
  }

  @Override
  public synchronized void close() throws IOException {
    for (Slot slot : all()) {
      close(slot);
    }
  }
}
