package tollcast.runner.card;

import java.io.Closeable;
import java.io.IOException;
import java.util.HashSet;
import java.util.Set;
import tollcast.runner.image.StateFile;
import tollcast.runner.memory.Counts;
import tollcast.runner.memory.Eeprom;
import tollcast.runner.runtime.AppletLoader;
import tollcast.runner.runtime.CardRuntime;

/**
 * One card and the reader it sits in: in or out, powered or not. Thread-safe; commands of several connections take
 * turns.
 */
public final class Card implements Closeable {
  /** When the power fails: after {@code writes} writes of a command, or after its last. */
  public record Cut(long writes, boolean afterLast) {}

  private static final Cut NONE = new Cut(Eeprom.NEVER, false);

  public final int id;
  public final CardSpec spec;
  private final Set<Closeable> connections = new HashSet<>();
  private final StateFile file;
  private CardRuntime runtime;
  private boolean present = true;
  private boolean powered;
  /** The connection that powered the card up last, or null. */
  private Closeable poweredBy;
  private boolean closed;
  private Cut cut = NONE;
  private long saves;
  private long saveNanos;

  /**
   * @throws IOException the state file is unreadable, of another applet build, or in use
   * @throws CardRuntime.InstallFailed the applet could not be installed
   */
  public Card(int id, CardSpec spec) throws IOException, CardRuntime.InstallFailed {
    this.id = id;
    this.spec = spec;
    file = spec.state() == null ? null : new StateFile(spec.state());
    try {
      runtime = blank();
      AppletLoader loader = new AppletLoader(spec.applet());
      if (file == null || !file.restore(runtime, loader)) {
        install(loader);
      }
    } catch (IOException | CardRuntime.InstallFailed | RuntimeException e) {
      if (file != null) {
        file.close();
      }
      throw e;
    }
  }

  private CardRuntime blank() {
    return new CardRuntime("card " + id, spec.ram(), spec.commit(), spec.chip(), spec.buffer());
  }

  private void install(AppletLoader loader) throws IOException, CardRuntime.InstallFailed {
    try {
      runtime.install(Class.forName(spec.applet(), true, loader), spec.aid(), spec.install());
    } catch (ClassNotFoundException e) {
      throw new IOException("applet class " + spec.applet() + " cannot be loaded", e);
    }
    save();
  }

  private void save() throws IOException {
    if (runtime.eeprom.takeDirty() && file != null) {
      long start = System.nanoTime();
      file.save(runtime);
      saves++;
      saveNanos += System.nanoTime() - start;
    }
  }

  // --- the reader's side

  /** @return false if there is no card in the reader; the connection is to be closed then */
  public synchronized boolean connect(Closeable connection) {
    return present && !closed && connections.add(connection);
  }

  /** A reader that goes takes the power with it. */
  public synchronized void disconnect(Closeable connection) {
    if (connections.remove(connection) && (connections.isEmpty() || poweredBy == connection)) {
      powered = false;
      poweredBy = null;
    }
  }

  /** Waits until the card is in the reader; returns false when it is closed for good. */
  public synchronized boolean awaitPresent() throws InterruptedException {
    while (!present && !closed) {
      wait();
    }
    return !closed;
  }

  /** Whether another connection has switched the card on, and has it still: a card is in one reader at a time. */
  public synchronized boolean isUsedByAnother(Closeable connection) {
    return powered && poweredBy != null && poweredBy != connection;
  }

  /** Ignored from a connection if another one has powered the card up since. */
  public synchronized void powerOff(Closeable by) {
    if (poweredBy == null || poweredBy == by) {
      powered = false;
      poweredBy = null;
    }
  }

  /**
   * Powers the card up, or resets it, on behalf of a connection.
   *
   * @return false, and nothing is done, while another connection uses the card
   */
  public synchronized boolean powerOn(Closeable by) {
    if (isUsedByAnother(by)) {
      return false;
    }
    poweredBy = by;
    powerOn();
    return true;
  }

  /** Powers the card up, or resets it: RAM is cleared. */
  public synchronized void powerOn() {
    runtime.reset();
    powered = true;
  }

  /**
   * A command, of any length; a card without power is powered first.
   *
   * @return the response, or null if the card left the reader or lost its power
   */
  public synchronized byte[] transmit(byte[] command) throws IOException {
    if (!present || closed) {
      return null;
    }
    if (!powered) {
      powerOn();
    }
    Cut now = cut;
    cut = NONE;
    byte[] response = runtime.transmit(command, now.writes, now.afterLast);
    // The EEPROM is on disk before anyone sees the answer.
    save();
    if (response == null) {
      pull();
    }
    return response;
  }

  // --- the tester's side

  /** The card leaves the reader: connections are dropped, and refused until {@link #insert}. */
  public synchronized void pull() {
    present = false;
    powered = false;
    poweredBy = null;
    for (Closeable connection : connections) {
      try {
        connection.close();
      } catch (IOException e) {
        // It is closed either way.
      }
    }
    connections.clear();
  }

  /** The card is back. The reader's first command powers it up. */
  public synchronized void insert() {
    present = true;
    notifyAll();
  }

  public synchronized void arm(Cut cut) {
    this.cut = cut;
  }

  /** Makes the chip's engines throw in the next command, after so many calls of them. */
  public synchronized void failEngines(long after) {
    runtime.failEngines(after);
  }

  /** Makes it a new card: nothing of the old one stays, and the applet is installed again. */
  public synchronized void erase() throws IOException, CardRuntime.InstallFailed {
    CardRuntime old = runtime;
    runtime = blank();
    powered = false;
    try {
      install(new AppletLoader(spec.applet()));
    } catch (IOException | CardRuntime.InstallFailed | RuntimeException e) {
      runtime = old;
      throw e;
    }
  }

  public synchronized Counts counts() {
    return runtime.counts;
  }

  public synchronized void resetCounts() {
    runtime.counts.clear();
    saves = saveNanos = 0;
  }

  /** What {@code info} answers. */
  public record Info(boolean present, boolean powered, int ramOctets, int ramDeselectOctets, int connections,
      long saves, long saveMicros) {}

  public synchronized Info info() {
    return new Info(present, powered, runtime.ram.octets(), runtime.ram.deselectOctets(), connections.size(), saves,
        saveNanos / 1000);
  }

  @Override
  public synchronized void close() throws IOException {
    if (closed) {
      return;
    }
    pull();
    closed = true;
    notifyAll();
    if (file != null) {
      save();
      file.close();
    }
  }
}
