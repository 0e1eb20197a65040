package tollcast.runner.runtime;

import com.licel.jcardsim.base.SimulatorRuntime;
import com.licel.jcardsim.crypto.SymmetricKeyImpl;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.util.Arrays;
import java.util.Set;
import java.util.stream.Collectors;
import javacard.framework.AID;
import javacard.framework.APDU;
import javacard.framework.APDUException;
import javacard.framework.Applet;
import javacard.framework.CardRuntimeException;
import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.SystemException;
import javacard.framework.TransactionException;
import javacard.framework.Util;
import javacard.security.CryptoException;
import javacard.security.Key;
import tollcast.runner.memory.CardRam;
import tollcast.runner.memory.Counts;
import tollcast.runner.memory.Eeprom;
import tollcast.runner.memory.PowerCut;

/**
 * jCardSim's runtime, and what it leaves out: transactions that roll back, power cuts, a reset that resets. It has one
 * card with one applet, and is not thread-safe.
 */
public final class CardRuntime extends SimulatorRuntime {
  /** Least octets of an APDU buffer by the 2.2.2 API, and what a short command with Le needs. */
  public static final int MIN_BUFFER = 133;
  public static final int MAX_BUFFER = 5 + 255 + 1;
  private static final int HEADER_AND_LE = 5;

  static {
    // Without it jCardSim seeds RandomData with a constant.
    System.setProperty("com.licel.jcardsim.randomdata.secure", "1");
  }

  public final Counts counts = new Counts();
  public final CardRam ram;
  public final Eeprom eeprom;
  public final Engines engines = new Engines();
  private final LogicalChannels logicalChannels = new LogicalChannels();
  private final String name;
  final Chip chip;
  private final Receiving receiving;
  private boolean commandHasData;
  private long engineCallsLeft = Eeprom.NEVER;
  private Applet applet;

  /**
   * @param name for messages
   * @param ramLimit octets of RAM for the applet, 0 for no limit
   * @param commitCapacity octets a transaction may change, up to 32,767
   * @param buffer octets of the APDU buffer, 133 to 261
   */
  public CardRuntime(String name, int ramLimit, int commitCapacity, Chip chip, int buffer) {
    this(name, new CardRam(ramLimit), commitCapacity, chip, buffer);
  }

  private CardRuntime(String name, CardRam ram, int commitCapacity, Chip chip, int bufferLength) {
    super(ram);
    this.name = name;
    this.chip = chip;
    this.ram = ram;
    receiving = new Receiving(bufferLength);
    eeprom = new Eeprom(counts, ram, commitCapacity);
    // jCardSim's 260 octets do not hold a case 4 command with Lc = 255.
    try {
      Field buffer = APDU.class.getDeclaredField("buffer");
      buffer.setAccessible(true);
      buffer.set(shortAPDU, new byte[bufferLength]);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("another jCardSim than the one this runner was written for", e);
    }
    changeProtocol(chip.isT0() ? APDU.PROTOCOL_T0 : APDU.PROTOCOL_T1);
    eeprom.exempt(shortAPDU.getBuffer());
    eeprom.exempt(extendedAPDU.getBuffer());
  }

  public Applet applet() {
    return applet;
  }

  /**
   * Calls the applet's install(byte[], short, byte) with the parameters as JCRE 2.2.2, 3.1 has them: AID, control
   * information (none) and application data, each behind its length.
   *
   * @param data at most 127 octets with the lengths
   * @throws InstallFailed what the applet threw, or that it did not register
   */
  public void install(Class<?> appletClass, byte[] aid, byte[] data) throws InstallFailed {
    byte[] parameters = new byte[1 + aid.length + 1 + 1 + data.length];
    if (parameters.length > Byte.MAX_VALUE) {
      throw new InstallFailed("install parameters of " + data.length + " octets are too long: at most "
          + (Byte.MAX_VALUE - 3 - aid.length), null);
    }
    parameters[0] = (byte) aid.length;
    System.arraycopy(aid, 0, parameters, 1, aid.length);
    parameters[2 + aid.length] = (byte) data.length;
    System.arraycopy(data, 0, parameters, 3 + aid.length, data.length);
    eeprom.exempt(parameters);
    eeprom.useLoader(appletClass.getClassLoader());

    makeCurrent();
    registrationCallback.set((registered, itsAid) -> {
      if (applet != null) {
        SystemException.throwIt(SystemException.ILLEGAL_AID);
      }
      adopt(registered, itsAid == null ? new AID(aid, (short) 0, (byte) aid.length) : itsAid);
    });
    try {
      appletClass.getMethod("install", byte[].class, short.class, byte.class)
          .invoke(null, parameters, (short) 0, (byte) parameters.length);
    } catch (InvocationTargetException e) {
      throw new InstallFailed("install failed: " + describe(e.getCause()), e.getCause());
    } catch (ReflectiveOperationException e) {
      throw new InstallFailed(appletClass.getName() + " has no public static install(byte[], short, byte)", e);
    } finally {
      registrationCallback.remove();
    }
    if (applet == null) {
      throw new InstallFailed(appletClass.getName() + ".install did not call register()", null);
    }
    abortOpenTransaction();
    eeprom.markDirty();
    counts.clear();
  }

  /** Makes this the card that the API's classes work for in this thread. */
  public void makeCurrent() {
    activateSimulatorRuntimeInstance();
  }

  /** Registers an applet that was installed now or restored from a file. */
  public void adopt(Applet registered, AID aid) {
    applet = registered;
    applets.put(aid, new ApplicationInstance(aid, registered));
    eeprom.useLoader(registered.getClass().getClassLoader());
  }

  public AID aid() {
    return applets.firstKey();
  }

  /** Says what was thrown and where in the applet, without the exception's message, which may hold data. */
  private static String describe(Throwable thrown) {
    String what = thrown.getClass().getSimpleName();
    if (thrown instanceof CardRuntimeException card) {
      what += String.format(" %04X", card.getReason() & 0xFFFF);
    } else if (thrown instanceof UnsupportedOperationException) {
      what += " (" + thrown.getMessage() + ")";
    }
    return what + Arrays.stream(thrown.getStackTrace())
        .filter(frame -> !frame.getClassName().startsWith("java"))
        .filter(frame -> !frame.getClassName().startsWith("tollcast.runner"))
        .limit(4).map(frame -> frame.getClassName() + "." + frame.getMethodName() + ":" + frame.getLineNumber())
        .collect(Collectors.joining(" < ", " at ", ""));
  }

  public static final class InstallFailed extends Exception {
    InstallFailed(String message, Throwable cause) {
      super(message, cause);
    }
  }

  // --- commands

  /**
   * @param cutAt the power fails when the command has made this many writes; {@link Eeprom#NEVER}
   * @param cutAfterLast the power fails after the last write, before the answer
   * @return the response, or null if the power failed
   */
  public byte[] transmit(byte[] command, long cutAt, boolean cutAfterLast) {
    counts.commands++;
    commandHasData = command.length > HEADER_AND_LE;
    eeprom.beginCommand(cutAt);
    byte[] response = null;
    if (cutAt != 0) {
      try {
        response = dispatch(command);
        if (getAID() == null && Util.getShort(response, (short) 0) == ISO7816.SW_APPLET_SELECT_FAILED) {
          // On a card the card manager says that there is no such application; jCardSim does not have one.
          Util.setShort(response, (short) 0, ISO7816.SW_FILE_NOT_FOUND);
        }
        abortOpenTransaction();
      } catch (PowerCut gone) {
        // endCommand knows it, too.
      } catch (IllegalArgumentException | IndexOutOfBoundsException malformed) {
        response = new byte[2];
        Util.setShort(response, (short) 0, ISO7816.SW_WRONG_LENGTH);
      }
    }
    engineCallsLeft = Eeprom.NEVER;
    if (eeprom.endCommand(cutAfterLast || cutAt == 0)) {
      counts.cutsFired++;
      reset();
      return null;
    }
    return response;
  }

  /** Gives a command to jCardSim, unless it comes on a logical channel on which the applet is not selected. */
  private byte[] dispatch(byte[] command) {
    boolean selected = getAID() != null;
    if (selected && command.length > 0 && logicalChannels.isForeign(command)) {
      byte[] refusal = new byte[2];
      Util.setShort(refusal, (short) 0, LogicalChannels.answer(command, aid()));
      return refusal;
    }
    byte[] response = transmitCommand(receiving.start(command));
    if (!selected && getAID() != null) {
      logicalChannels.select(command);
    }
    return response;
  }

  /** Reports what the applet's process() threw, unless it is a status word: the answer 6F00 does not say what. */
  void uncaught(Throwable thrown) {
    if (thrown instanceof ISOException || thrown instanceof PowerCut) {
      return;
    }
    System.err.println(name + ": 6F00, uncaught " + describe(thrown));
  }

  @Override
  protected void deselect(ApplicationInstance instance) {
    super.deselect(instance);
    if (chip.isStrict()) {
      engines.forget();
    } else {
      engines.reinitialise(Engines.Init::hasTransientKey);
    }
  }

  /** Powers on or resets: clears RAM and rolls an open transaction back. */
  @Override
  public void reset() {
    activateSimulatorRuntimeInstance();
    eeprom.powerUp();
    super.reset();
    engines.reset();
  }

  /** A card of T=0 receives what is not sent: it waits until the reader gives it up. */
  private static final class EndlessWait extends Error {
    EndlessWait() {
      super("receives data that the command does not have", null, false, true);
    }
  }

  /** Before the applet receives data. By T=1 a card can know that there are none. */
  void requireData() {
    if (commandHasData) {
      return;
    }
    if (chip.isT0()) {
      throw new EndlessWait();
    }
    if (chip.isStrict()) {
      APDUException.throwIt(APDUException.ILLEGAL_USE);
    }
  }

  /** Makes the engines throw in the next command, when it has called them so many times; NEVER for not at all. */
  public void failEngines(long after) {
    engineCallsLeft = after;
  }

  /** Before a call of a cipher, MAC, digest, key agreement or key. */
  void callEngine() {
    if (engineCallsLeft != Eeprom.NEVER && engineCallsLeft-- == 0) {
      engineCallsLeft = Eeprom.NEVER;
      CryptoException.throwIt(CryptoException.ILLEGAL_USE);
    }
  }

  Receiving receiving() {
    return receiving;
  }

  void init(Object engine, Key key, byte mode, byte[] iv, short offset, short length) {
    callEngine();
    counts.cipherInits++;
    engines.init(engine, key, mode, iv, offset, length);
    Engines.Init init = engines.initOf(engine);
    if (!init.hasTransientKey()) {
      eeprom.markDirty();
    }
  }

  // --- transactions

  @Override
  public void beginTransaction() {
    super.beginTransaction();
    eeprom.begin();
  }

  @Override
  public void commitTransaction() {
    if (transactionDepth == 0) {
      TransactionException.throwIt(TransactionException.NOT_IN_PROGRESS);
    }
    eeprom.commit();
    super.commitTransaction();
  }

  @Override
  public void abortTransaction() {
    super.abortTransaction();
    Set<SymmetricKeyImpl> restored = eeprom.rollback();
    if (!restored.isEmpty()) {
      engines.reinitialise(init -> restored.contains(init.key()));
    }
  }

  /** JCRE 2.2.2, 7.6.2: a transaction that the applet left open is aborted. */
  private void abortOpenTransaction() {
    if (transactionDepth != 0) {
      abortTransaction();
    }
  }

  @Override
  public short getUnusedCommitCapacity() {
    return (short) eeprom.unusedCommitCapacity();
  }

  @Override
  public short getMaxCommitCapacity() {
    return (short) eeprom.commitCapacity();
  }

  @Override
  public short getAvailableTransientResetMemory() {
    return (short) ram.free();
  }

  @Override
  public short getAvailableTransientDeselectMemory() {
    return (short) ram.free();
  }
}
