package tollcast.applet;

import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;
import javacard.security.AESKey;
import javacard.security.KeyBuilder;
import javacardx.crypto.Cipher;

/** The secure channel, with the few commands that its vectors need and nothing else of the decode module. */
public class ChannelTestApplet extends Applet {
  public static final byte ECHO = 0x10;
  public static final byte WARN = 0x12;
  public static final byte FAIL = 0x14;
  /** Answers one octet: the level that the command came with. */
  public static final byte LEVEL = 0x16;
  /** P1 = 0: the life state no longer allows a channel. */
  public static final byte ALIVE = 0x18;
  /** The data is the new sequence counter. */
  public static final byte SET_COUNTER = 0x1A;

  private static final short COUNTER = 3;
  private static final byte[] CARD = {0x0A, 0x1B, 0x2C, 1, 0, 0, 0, 7};

  private final byte[] state = new byte[ChannelKeys.STATE_LENGTH];
  private final ChannelKeys keys;
  private final SecureChannel channel;
  private boolean alive = true;

  private ChannelTestApplet(byte[] parameters, short at, short length) {
    byte[] work = JCSystem.makeTransientByteArray((short) 160, JCSystem.CLEAR_ON_RESET);
    byte[] ram = JCSystem.makeTransientByteArray(SecureChannel.STATE_LENGTH, JCSystem.CLEAR_ON_RESET);
    Cmac cmac = new Cmac(new MacEngine(MacEngine.makeSignature(), null), work);
    Cipher cbc = Cipher.getInstance(Cipher.ALG_AES_BLOCK_128_CBC_NOPAD, false);
    keys = new ChannelKeys(KeyTable.makeKeys(ChannelKeys.KEYS, KeyBuilder.TYPE_AES), state, cmac, cbc, work);
    keys.install(parameters, at, length);
    AESKey[] session = KeyTable.makeKeys(SecureChannel.SESSION_KEYS, KeyBuilder.TYPE_AES_TRANSIENT_RESET);
    channel = new SecureChannel(keys, session, ram, cmac, work);
  }

  public static void install(byte[] parameters, short offset, byte length) {
    short data = (short) (offset + 1 + parameters[offset]);
    data = (short) (data + 1 + parameters[data]);
    new ChannelTestApplet(parameters, (short) (data + 1), (short) (parameters[data] & 0xFF)).register();
  }

  @Override
  public void process(APDU apdu) {
    byte[] buffer = apdu.getBuffer();
    channel.startCommand();
    if (selectingApplet()) {
      channel.end();
      return;
    }
    short length = apdu.setIncomingAndReceive();
    byte ins = buffer[ISO7816.OFFSET_INS];
    if (buffer[ISO7816.OFFSET_CLA] == (byte) 0x84) {
      if (ins == (byte) 0x82) {
        channel.externalAuthenticate(buffer, length);
        return;
      }
      length = channel.unwrap(buffer, length);
    } else if (buffer[ISO7816.OFFSET_CLA] != (byte) 0x80) {
      ISOException.throwIt(StatusWords.UNKNOWN_CLASS);
    }
    short status = ISO7816.SW_NO_ERROR;
    short from = 0;
    switch (ins) {
      case 0x50:
        length = channel.initializeUpdate(buffer, length, alive, CARD, (short) 0);
        break;
      case (byte) 0xD8:
        channel.requireLevel(SecureChannel.C_ENC);
        length = keys.put(buffer, length);
        break;
      case WARN:
        status = 0x63C2;
        from = ISO7816.OFFSET_CDATA;
        break;
      case ECHO:
        from = ISO7816.OFFSET_CDATA;
        break;
      case FAIL:
        ISOException.throwIt(StatusWords.BAD_FIELD);
        break;
      case LEVEL:
        buffer[0] = (byte) ((channel.hasLevel(SecureChannel.C_MAC) ? 1 : 0)
            | (channel.hasLevel(SecureChannel.C_ENC) ? 2 : 0)
            | (channel.hasLevel(SecureChannel.R_MAC) ? 0x10 : 0));
        length = 1;
        break;
      case ALIVE:
        alive = buffer[ISO7816.OFFSET_P1] != 0;
        length = 0;
        break;
      case SET_COUNTER:
        Util.arrayCopy(buffer, ISO7816.OFFSET_CDATA, state, COUNTER, length);
        length = 0;
        break;
      default:
        ISOException.throwIt(StatusWords.UNKNOWN_INSTRUCTION);
    }
    length = channel.wrap(buffer, from, length, status);
    if (length != 0) {
      apdu.setOutgoing();
      apdu.setOutgoingLength(length);
      // jCardSim sends from offset 0 alone where the answer goes on past its usual buffer.
      Util.arrayCopyNonAtomic(buffer, from, buffer, (short) 0, length);
      apdu.sendBytes((short) 0, length);
    }
    if (status != ISO7816.SW_NO_ERROR) {
      ISOException.throwIt(status);
    }
  }
}
