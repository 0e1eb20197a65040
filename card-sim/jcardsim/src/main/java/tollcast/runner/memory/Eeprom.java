package tollcast.runner.memory;

import com.licel.jcardsim.crypto.SymmetricKeyImpl;
import java.lang.reflect.Field;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Deque;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import javacard.framework.JCSystem;
import javacard.framework.TransactionException;

/**
 * The persistent memory of one card. Every persistent write of the applet comes through here, so here it is counted,
 * logged for rollback (JCRE 2.2.2, chapter 7) and, where a power cut is armed, refused. Once the power is gone no write
 * is let through, so that not even a {@code finally} in the applet changes the state at the cut.
 */
public final class Eeprom {
  /** In place of a number of writes: the power does not fail. */
  public static final long NEVER = -1;

  private final Counts counts;
  private final CardRam ram;
  private final int commitCapacity;
  private final Set<Object> notEeprom = Collections.newSetFromMap(new IdentityHashMap<>());
  private final List<Field> fields = new ArrayList<>();
  private final Deque<Runnable> undoLog = new ArrayDeque<>();
  private final Set<SymmetricKeyImpl> keysLogged = Collections.newSetFromMap(new IdentityHashMap<>());
  private ClassLoader loader;
  private int logged;
  private boolean inTransaction;
  private boolean dirty;
  private boolean powerLost;
  private long writesOfCommand;
  private long cutAt = NEVER;

  /** @param commitCapacity octets one transaction may change, as JCSystem.getMaxCommitCapacity gives them */
  public Eeprom(Counts counts, CardRam ram, int commitCapacity) {
    this.counts = counts;
    this.ram = ram;
    this.commitCapacity = commitCapacity;
  }

  public void useLoader(ClassLoader loader) {
    this.loader = loader;
    fields.clear();
  }

  /** Leaves out an array of the runtime, such as the APDU buffer: it is in neither of the applet's memories. */
  public void exempt(byte[] array) {
    notEeprom.add(array);
  }

  public boolean isPersistent(Object array) {
    return ram.isTransient(array) == JCSystem.NOT_A_TRANSIENT_OBJECT && !notEeprom.contains(array);
  }

  // --- power

  /** Starts a command: the power fails when it has made {@code cutAt} writes and the next begins. */
  public void beginCommand(long cutAt) {
    this.cutAt = cutAt;
    writesOfCommand = 0;
  }

  /** Ends a command; returns whether the power failed in it, or fails now, after its last write. */
  public boolean endCommand(boolean cutNow) {
    boolean lost = powerLost || cutNow || cutAt == writesOfCommand;
    cutAt = NEVER;
    return lost;
  }

  /** Rolls an open transaction back, when the power is back or the card is new. */
  public void powerUp() {
    rollback();
    powerLost = false;
  }

  /** True if something persistent changed since the last call. */
  public boolean takeDirty() {
    boolean was = dirty;
    dirty = false;
    return was;
  }

  public void markDirty() {
    dirty = true;
  }

  /** Every persistent write passes here before it happens. An abort undoes those that are conditional. */
  private void beforeWrite(int octets, boolean conditional) {
    if (powerLost) {
      throw PowerCut.NOW;
    }
    if (conditional && inTransaction && logged + octets > commitCapacity) {
      TransactionException.throwIt(TransactionException.BUFFER_FULL);
    }
    if (writesOfCommand == cutAt) {
      powerLost = true;
      throw PowerCut.NOW;
    }
    writesOfCommand++;
    counts.persistentWrites++;
    counts.persistentOctets += octets;
    dirty = true;
  }

  private void log(int octets, Runnable undo) {
    logged += octets;
    undoLog.push(undo);
  }

  // --- transactions

  public void begin() {
    inTransaction = true;
  }

  public void commit() {
    beforeWrite(1, false);
    counts.transactions++;
    counts.maxTransactionOctets = Math.max(counts.maxTransactionOctets, logged);
    forget();
  }

  /** Undoes the open transaction; returns the keys that have their old values again. */
  public Set<SymmetricKeyImpl> rollback() {
    Set<SymmetricKeyImpl> keys = Collections.newSetFromMap(new IdentityHashMap<>());
    keys.addAll(keysLogged);
    while (!undoLog.isEmpty()) {
      undoLog.pop().run();
    }
    forget();
    return keys;
  }

  private void forget() {
    undoLog.clear();
    keysLogged.clear();
    logged = 0;
    inTransaction = false;
  }

  public int unusedCommitCapacity() {
    return commitCapacity - logged;
  }

  public int commitCapacity() {
    return commitCapacity;
  }

  // --- writes

  /** Comes before PUTFIELD or, with a null target, PUTSTATIC. {@code site} is the number of the field. */
  public void beforeField(Object target, int site) {
    FieldSite where = FieldSite.of(site);
    beforeWrite(where.octets(), true);
    if (inTransaction) {
      Field field = field(where, site);
      Object old = get(field, target);
      log(where.octets(), () -> set(field, target, old));
    }
  }

  public void storeByte(byte[] array, int index, byte value) {
    byte old = array[index];
    if (isPersistent(array)) {
      beforeWrite(1, true);
      if (inTransaction) {
        log(1, () -> array[index] = old);
      }
    }
    array[index] = value;
  }

  public void storeBoolean(boolean[] array, int index, boolean value) {
    boolean old = array[index];
    if (isPersistent(array)) {
      beforeWrite(1, true);
      if (inTransaction) {
        log(1, () -> array[index] = old);
      }
    }
    array[index] = value;
  }

  public void storeShort(short[] array, int index, short value) {
    short old = array[index];
    if (isPersistent(array)) {
      beforeWrite(2, true);
      if (inTransaction) {
        log(2, () -> array[index] = old);
      }
    }
    array[index] = value;
  }

  public void storeReference(Object[] array, int index, Object value) {
    Object old = array[index];
    if (isPersistent(array)) {
      beforeWrite(2, true);
      if (inTransaction) {
        log(2, () -> array[index] = old);
      }
    }
    array[index] = value;
  }

  /** Copies by one write, all octets or none, which an abort undoes. The ranges have been checked. */
  public void copyAtomic(byte[] from, int fromOffset, byte[] to, int offset, int length) {
    if (length == 0) {
      return;
    }
    beforeWrite(length, true);
    if (inTransaction) {
      byte[] old = Arrays.copyOfRange(to, offset, offset + length);
      log(length, () -> System.arraycopy(old, 0, to, offset, length));
    }
    System.arraycopy(from, fromOffset, to, offset, length);
  }

  /** Copies by one write for each octet, which an abort does not undo. The ranges have been checked. */
  public void copyNonAtomic(byte[] from, int fromOffset, byte[] to, int offset, int length) {
    byte[] source = from == to ? from.clone() : from;
    for (int i = 0; i < length; i++) {
      beforeWrite(1, false);
      to[offset + i] = source[fromOffset + i];
    }
  }

  /** Sets or clears a key by one write, all or none, which an abort undoes. For a transient key it is not a write. */
  public void writeKey(SymmetricKeyImpl key, Runnable write) {
    counts.keySets++;
    if (CardRam.eventOf(key.getType()) == JCSystem.NOT_A_TRANSIENT_OBJECT) {
      int octets = key.getSize() / 8;
      beforeWrite(octets, true);
      if (inTransaction) {
        byte[] old = octetsOf(key);
        keysLogged.add(key);
        log(octets, () -> restore(key, old));
      }
    }
    write.run();
  }

  /** Makes one write, all or none, which an abort undoes. */
  void write(int octets, Runnable write, Runnable undo) {
    beforeWrite(octets, true);
    if (inTransaction) {
      log(octets, undo);
    }
    write.run();
  }

  /** The key's value, or null if it has none. */
  public static byte[] octetsOf(SymmetricKeyImpl key) {
    if (!key.isInitialized()) {
      return null;
    }
    byte[] octets = new byte[256];
    return Arrays.copyOf(octets, key.getKey(octets, (short) 0) & 0xFF);
  }

  public static void restore(SymmetricKeyImpl key, byte[] octets) {
    key.clearKey();
    if (octets != null) {
      key.setKey(octets, (short) 0, (short) octets.length);
    }
  }

  // --- fields

  private Field field(FieldSite where, int site) {
    while (fields.size() <= site) {
      fields.add(null);
    }
    Field field = fields.get(site);
    if (field == null) {
      field = declared(where);
      field.setAccessible(true);
      fields.set(site, field);
    }
    return field;
  }

  /** The instruction may name a subclass of the class that declares the field. */
  private Field declared(FieldSite where) {
    try {
      Class<?> type = Class.forName(where.owner().replace('/', '.'), false, loader);
      while (Arrays.stream(type.getDeclaredFields()).noneMatch(field -> field.getName().equals(where.name()))) {
        type = type.getSuperclass();
      }
      return type.getDeclaredField(where.name());
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Object get(Field field, Object target) {
    try {
      return field.get(target);
    } catch (IllegalAccessException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void set(Field field, Object target, Object value) {
    try {
      field.set(target, value);
    } catch (IllegalAccessException e) {
      throw new IllegalStateException(e);
    }
  }
}
