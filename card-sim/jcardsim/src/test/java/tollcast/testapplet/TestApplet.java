package tollcast.testapplet;

import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.OwnerPIN;
import javacard.framework.Util;
import javacard.security.AESKey;
import javacard.security.KeyBuilder;
import javacard.security.MessageDigest;
import javacard.security.RandomData;
import javacard.security.Signature;
import javacardx.crypto.Cipher;

/** One instruction for each thing the runner adds to jCardSim. */
public class TestApplet extends Applet {
  public static final byte COUNT = 0x10;
  public static final byte COPY = 0x12;
  public static final byte COPY_NON_ATOMIC = 0x14;
  public static final byte READ = 0x16;
  /** P1: 0 commit, 1 abort, 2 ISOException, 3 left open, 4 NullPointerException. */
  public static final byte TRANSACTION = 0x18;
  public static final byte STUBBORN = 0x1A;
  public static final byte SET_KEY = 0x20;
  public static final byte INIT_CIPHER = 0x22;
  public static final byte ENCRYPT = 0x24;
  public static final byte UPDATE = 0x26;
  public static final byte STATUS = 0x28;
  public static final byte CHECK_PIN = 0x30;
  public static final byte CHECK_PIN_AND_ABORT = 0x32;
  public static final byte STATIC_COUNT = 0x36;
  public static final byte RANDOM = 0x38;
  public static final byte ECHO = 0x3C;
  public static final byte DIGEST_INTO_RECORD = 0x3E;
  public static final byte SET_SHORT = 0x40;
  public static final byte SET_RAM = 0x42;
  public static final byte SIGN = 0x44;
  public static final byte DIGEST_UPDATE = 0x46;
  public static final byte DIGEST = 0x48;
  public static final byte REINIT_AND_ABORT = 0x4A;
  public static final byte PLAIN_MARK = 0x4C;
  /** Sum u16 of the data, how often it came, length of the buffer, Lc. */
  public static final byte SUM = 0x4E;

  private static final byte[] TABLE = {1, 2, 3, 4};
  private static short staticCount;

  private short count;
  private boolean mark;
  private Object link;
  private final byte[] record = new byte[32];
  private final boolean[] flags = new boolean[2];
  private final short[] shorts = new short[2];
  private final Object[] objects = new Object[2];
  private final byte[] installData;
  private final AESKey[] keys = new AESKey[3];
  private final Cipher[] ciphers = new Cipher[3];
  private final Signature signature;
  private final MessageDigest digest;
  private final RandomData random;
  private final OwnerPIN pin = new OwnerPIN((byte) 3, (byte) 4);
  private final byte[] ram = JCSystem.makeTransientByteArray((short) 16, JCSystem.CLEAR_ON_RESET);
  private final byte[] sessionRam = JCSystem.makeTransientByteArray((short) 16, JCSystem.CLEAR_ON_DESELECT);
  private final Object[] ramObjects = JCSystem.makeTransientObjectArray((short) 1, JCSystem.CLEAR_ON_RESET);
  private final Node head = new Node(null);

  /** A cycle, for the restorer. */
  static class Node {
    private Node next;
    private short value;

    Node(Node next) {
      this.next = next == null ? this : next;
      value = 7;
    }
  }

  protected TestApplet(byte[] bArray, short bOffset) {
    byte[] types = {KeyBuilder.TYPE_AES, KeyBuilder.TYPE_AES_TRANSIENT_RESET, KeyBuilder.TYPE_AES_TRANSIENT_DESELECT};
    for (short i = 0; i < 3; i++) {
      keys[i] = (AESKey) KeyBuilder.buildKey(types[i], KeyBuilder.LENGTH_AES_128, false);
      ciphers[i] = Cipher.getInstance(Cipher.ALG_AES_BLOCK_128_CBC_NOPAD, false);
    }
    signature = Signature.getInstance(Signature.ALG_AES_MAC_128_NOPAD, false);
    digest = MessageDigest.getInstance(MessageDigest.ALG_SHA_256, false);
    random = RandomData.getInstance(RandomData.ALG_SECURE_RANDOM);
    link = record;
    pin.update(TABLE, (short) 0, (byte) 4);
    short data = (short) (bOffset + 1 + bArray[bOffset]);
    data = (short) (data + 1 + bArray[data]);
    installData = new byte[bArray[data]];
    Util.arrayCopy(bArray, (short) (data + 1), installData, (short) 0, bArray[data]);
  }

  public static void install(byte[] bArray, short bOffset, byte bLength) {
    new TestApplet(bArray, bOffset).register(bArray, (short) (bOffset + 1), bArray[bOffset]);
  }

  /** Adds up the data as it comes, always at the start of the buffer's data. */
  private static short sum(APDU apdu, byte[] buffer, short first) {
    short left = apdu.getIncomingLength();
    short received = first;
    short sum = 0;
    short pieces = 0;
    while (true) {
      for (short i = 0; i < received; i++) {
        sum += buffer[(short) (ISO7816.OFFSET_CDATA + i)];
      }
      pieces++;
      left -= received;
      if (left == 0) {
        break;
      }
      received = apdu.receiveBytes(ISO7816.OFFSET_CDATA);
    }
    Util.setShort(buffer, (short) 0, sum);
    Util.setShort(buffer, (short) 6, (short) (buffer[ISO7816.OFFSET_LC] & 0xFF));
    Util.setShort(buffer, (short) 2, pieces);
    return Util.setShort(buffer, (short) 4, (short) buffer.length) == 6 ? (short) 8 : 0;
  }

  @Override
  public void process(APDU apdu) {
    if (selectingApplet()) {
      return;
    }
    byte[] buffer = apdu.getBuffer();
    byte p1 = buffer[ISO7816.OFFSET_P1];
    byte ins = buffer[ISO7816.OFFSET_INS];
    short length = apdu.setIncomingAndReceive();
    short out = 0;
    switch (ins) {
      case COUNT:
        count++;
        out = Util.setShort(buffer, (short) 0, count);
        break;
      case SUM:
        out = sum(apdu, buffer, length);
        break;
      case COPY:
        Util.arrayCopy(buffer, (short) 5, record, (short) 0, length);
        break;
      case COPY_NON_ATOMIC:
        Util.arrayCopyNonAtomic(buffer, (short) 5, record, (short) 0, length);
        break;
      case READ:
        out = Util.arrayCopyNonAtomic(record, (short) 0, buffer, (short) 0, (short) 32);
        break;
      case TRANSACTION:
        transaction(buffer, p1);
        break;
      case STUBBORN:
        try {
          Util.arrayCopyNonAtomic(buffer, (short) 5, record, (short) 0, length);
        } catch (Throwable caught) {
          count = 0x7777;
        } finally {
          mark = true;
          Util.arrayFillNonAtomic(record, (short) 0, (short) 32, (byte) 0x55);
        }
        break;
      case SET_KEY:
        keys[p1].setKey(buffer, (short) 5);
        break;
      case INIT_CIPHER:
        ciphers[p1].init(keys[p1], Cipher.MODE_ENCRYPT, buffer, (short) 5, (short) 16);
        signature.init(keys[p1], Signature.MODE_SIGN);
        break;
      case ENCRYPT:
        out = ciphers[p1].doFinal(buffer, (short) 5, length, buffer, (short) 0);
        break;
      case UPDATE:
        ciphers[p1].update(buffer, (short) 5, length, ram, (short) 0);
        signature.update(buffer, (short) 5, length);
        break;
      case SIGN:
        out = signature.sign(buffer, (short) 5, length, buffer, (short) 0);
        break;
      case STATUS:
        out = status(buffer);
        break;
      case CHECK_PIN:
        buffer[0] = (byte) (pin.check(buffer, (short) 5, (byte) length) ? 1 : 0);
        out = 1;
        break;
      case CHECK_PIN_AND_ABORT:
        JCSystem.beginTransaction();
        pin.check(buffer, (short) 5, (byte) length);
        JCSystem.abortTransaction();
        break;
      case STATIC_COUNT:
        staticCount++;
        out = Util.setShort(buffer, (short) 0, staticCount);
        break;
      case RANDOM:
        random.generateData(buffer, (short) 0, (short) 8);
        out = 8;
        break;
      case ECHO:
        out = Util.arrayCopyNonAtomic(buffer, (short) 5, buffer, (short) 0, length);
        break;
      case DIGEST_UPDATE:
        digest.update(buffer, (short) 5, length);
        break;
      case DIGEST:
        out = digest.doFinal(buffer, (short) 5, length, buffer, (short) 0);
        break;
      case DIGEST_INTO_RECORD:
        digest.doFinal(buffer, (short) 5, length, record, (short) 0);
        break;
      case SET_SHORT:
        Util.setShort(record, (short) 0, (short) 0x1234);
        break;
      case SET_RAM:
        ram[0] = p1;
        sessionRam[0] = p1;
        ramObjects[0] = record;
        break;
      case REINIT_AND_ABORT:
        JCSystem.beginTransaction();
        keys[0].setKey(buffer, (short) 5);
        ciphers[0].init(keys[0], Cipher.MODE_ENCRYPT);
        JCSystem.abortTransaction();
        break;
      case PLAIN_MARK:
        mark = !mark;
        break;
      default:
        ISOException.throwIt(ISO7816.SW_INS_NOT_SUPPORTED);
    }
    if (out > 0) {
      apdu.setOutgoingAndSend((short) 0, out);
    }
  }

  private void transaction(byte[] buffer, byte end) {
    JCSystem.beginTransaction();
    count = (short) (count + 100);
    staticCount = (short) (staticCount + 100);
    mark = true;
    link = null;
    Util.arrayCopy(buffer, (short) 5, record, (short) 0, (short) 16);
    Util.setShort(record, (short) 16, (short) 0x5555);
    record[20] = 9;
    flags[1] = true;
    shorts[1] = 99;
    objects[1] = record;
    head.value = 8;
    keys[0].setKey(buffer, (short) 5);
    ram[1] = 5;
    switch (end) {
      case 0:
        JCSystem.commitTransaction();
        break;
      case 1:
        JCSystem.abortTransaction();
        break;
      case 2:
        ISOException.throwIt((short) 0x6985);
        break;
      case 4:
        ((byte[]) ramObjects[0])[0] = 1;
        break;
      default:
        break;
    }
  }

  /** Everything, so that tests can compare states: 27 octets. */
  private short status(byte[] buffer) {
    short at = Util.setShort(buffer, (short) 0, count);
    at = Util.setShort(buffer, at, staticCount);
    buffer[at++] = (byte) (mark ? 1 : 0);
    buffer[at++] = (byte) (link == record ? 1 : 0);
    buffer[at++] = (byte) (flags[1] ? 1 : 0);
    at = Util.setShort(buffer, at, shorts[1]);
    buffer[at++] = (byte) (objects[1] == record ? 1 : 0);
    at = Util.setShort(buffer, at, head.value);
    buffer[at++] = (byte) (head.next == head ? 1 : 0);
    for (short i = 0; i < 3; i++) {
      buffer[at++] = (byte) (keys[i].isInitialized() ? 1 : 0);
    }
    buffer[at++] = pin.getTriesRemaining();
    buffer[at++] = (byte) (pin.isValidated() ? 1 : 0);
    buffer[at++] = ram[0];
    buffer[at++] = ram[1];
    buffer[at++] = sessionRam[0];
    buffer[at++] = (byte) (ramObjects[0] == null ? 0 : 1);
    buffer[at++] = TABLE[3];
    buffer[at++] = JCSystem.isTransient(ram);
    buffer[at++] = JCSystem.isTransient(record);
    buffer[at++] = (byte) installData.length;
    buffer[at++] = JCSystem.getTransactionDepth();
    return at;
  }
}
