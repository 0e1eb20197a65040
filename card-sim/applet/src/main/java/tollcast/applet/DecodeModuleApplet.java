package tollcast.applet;

import static tollcast.applet.Instructions.*;

import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.Util;

/** The decode module, version 1 of the protocol: its commands (protocol 2). */
public final class DecodeModuleApplet extends Applet {
  private static final byte CLA = (byte) 0x80;
  /** Under secure messaging. */
  private static final byte CLA_SECURE = (byte) 0x84;

  private static final short P1P2_SELECT = 0x0400;
  private static final short P1P2_BLIND = 0x0100;
  /** SET STATUS of an application. */
  private static final byte P1_APPLICATION = 0x40;
  private static final byte P1_LAST = (byte) 0x80;
  private static final short DATA = ISO7816.OFFSET_CDATA;

  private final Persistent persistent;
  private final Purse purse;
  private final Receipts receipts;
  private final Session session;
  private final Personalisation personalisation;
  private final KeyStore keys;
  private final KeyListing listing;
  private final HolderPin pin;
  private final KeyMessages keyMessages;
  private final Purchases purchases;
  private final Uplink uplink;
  private final Decoder decoder;
  private final CreditLoad creditLoad;
  private final ChannelKeys channelKeys;
  private final SecureChannel channel;

  private DecodeModuleApplet(byte[] parameters, short at, short length) {
    persistent = new Persistent();
    Transients transients = new Transients();
    Mac mac = new Mac(transients);
    KeySplit split = new KeySplit(transients);
    Streams streams = new Streams(transients);
    purse = new Purse(persistent, transients);
    receipts = new Receipts(persistent, transients, purse, mac);
    session = new Session(persistent, transients, purse, receipts, streams);
    pin = new HolderPin(persistent);
    personalisation = new Personalisation(persistent, transients, purse, split, pin);
    keys = new KeyStore(persistent, transients);
    listing = new KeyListing(transients, keys);
    uplink = new Uplink(persistent, transients, mac);
    NumberWindow window = new NumberWindow(persistent, transients);
    Marks marks = new Marks(persistent, transients, split);
    Parents parents = new Parents(persistent, transients, keys, marks, split);
    purchases = new Purchases(persistent, transients, keys, parents, marks, window, uplink);
    Tree tree = new Tree(persistent, transients, parents, window);
    keyMessages = new KeyMessages(persistent, transients, keys, parents, purchases, tree, uplink, mac, pin);
    decoder = new Decoder(persistent, transients, keys, session, streams);
    creditLoad = new CreditLoad(persistent, transients, purse, mac);
    Cmac cmac = new Cmac(mac.signature, transients.work);
    channelKeys = new ChannelKeys(persistent.channelKeys, persistent.channelState, cmac, parents.cipher,
        transients.work);
    channelKeys.install(parameters, at, length);
    channel = new SecureChannel(channelKeys, transients.channelKeys, transients.ram, Transients.CHANNEL, cmac,
        transients.work);
  }

  /** Called by the Java Card runtime. The application data is the first key set of the secure channel (protocol 9). */
  public static void install(byte[] parameters, short offset, byte length) {
    short data = (short) ((short) (offset + 1) + parameters[offset]);
    data = (short) ((short) (data + 1) + parameters[data]);
    new DecodeModuleApplet(parameters, (short) (data + 1), (short) (parameters[data] & 0xFF)).register();
  }

  /** Another application is selected, or this one again: the open session ends as by CLOSE. */
  @Override
  public void deselect() {
    session.close();
  }

  @Override
  public void process(APDU apdu) {
    byte[] buffer = apdu.getBuffer();
    byte ins = buffer[ISO7816.OFFSET_INS];
    byte cla = buffer[ISO7816.OFFSET_CLA];
    channel.begin();
    if (cla != 0 || ins != INS_GET_RESPONSE) {
      listing.forget();
    }
    session.start();
    if (!classFits(cla, ins)) {
      ISOException.throwIt(StatusWords.UNKNOWN_CLASS);
    }
    short length = receive(apdu, buffer);
    if (ins == INS_EXTERNAL_AUTHENTICATE) {
      channel.externalAuthenticate(buffer, length);
      return;
    }
    if (cla == CLA_SECURE) {
      length = channel.unwrap(buffer, length);
    }
    short status = ISO7816.SW_NO_ERROR;
    short answer = 0;
    try {
      answer = run(apdu, buffer, ins, length);
    } catch (ISOException e) {
      status = e.getReason();
      // A wrong PIN is a warning, which has an R-MAC (9.4); anything else is not.
      if ((short) (status & (short) 0xFFF0) != StatusWords.WRONG_PIN) {
        ISOException.throwIt(status);
      }
    }
    answer = channel.wrap(buffer, (short) 0, answer, status);
    if (answer != 0) {
      apdu.setOutgoingAndSend((short) 0, answer);
    }
    if (status != ISO7816.SW_NO_ERROR) {
      ISOException.throwIt(status);
    }
  }

  private static boolean classFits(byte cla, byte ins) {
    switch (ins) {
      case INS_SELECT:
      case INS_GET_RESPONSE:
        return cla == 0;
      case INS_EXTERNAL_AUTHENTICATE:
        return cla == CLA_SECURE;
      default:
        return cla == CLA || cla == CLA_SECURE;
    }
  }

  /** Carries out a command and returns the length of its answer, at the start of the buffer. */
  private short run(APDU apdu, byte[] buffer, byte ins, short length) {
    switch (ins) {
      case INS_SELECT:
        return select(buffer);
      case INS_GET_RESPONSE:
        plain(buffer, length == 0);
        return listing.goOn(apdu, buffer);
      case INS_INITIALIZE_UPDATE:
        return channel.initializeUpdate(buffer, length, persistent.life != Persistent.TERMINATED, persistent.card,
            Persistent.CARD_ID);
      case INS_PUT_KEY:
        inside(SecureChannel.C_ENC);
        if (persistent.life == Persistent.TERMINATED) {
          ISOException.throwIt(StatusWords.NOT_NOW);
        }
        return channelKeys.put(buffer, length);
      case INS_SET_STATUS:
        setStatus(buffer, length);
        return 0;
      case INS_STORE_DATA:
        storeData(buffer, length);
        return 0;
      case INS_OPEN_SESSION:
        active(buffer, length == 4);
        pin.requireForSessions();
        session.open(buffer, DATA);
        return 0;
      case INS_CLOSE_SESSION:
        kept(buffer, length == 0);
        session.close();
        return receipts.newest(buffer);
      case INS_LOAD_KEY:
        active(buffer, true);
        return keyMessages.load(buffer, DATA, length);
      case INS_DELETE_KEY:
        active(buffer, length == 9);
        keys.delete(buffer, DATA);
        return 0;
      case INS_LIST_KEYS:
        kept(buffer, length == 0);
        return listing.start(apdu, buffer, channel.has(SecureChannel.C_MAC));
      case INS_DECODE:
        return decode(buffer, length);
      case INS_GET_PURSE:
        kept(buffer, length == 0);
        return purse.describe(buffer);
      case INS_START_LOAD:
        activeOrBlocked(buffer, length == 0);
        return creditLoad.start(buffer);
      case INS_LOAD_CREDIT:
        active(buffer, length == CreditLoad.LENGTH);
        creditLoad.load(buffer, DATA);
        return Util.arrayCopyNonAtomic(buffer, DATA, buffer, (short) 0, CreditLoad.LENGTH);
      case INS_GET_RECEIPT:
        kept(buffer, length == 0 || length == 4);
        return length == 0 ? receipts.oldest(buffer) : receipts.get(buffer, DATA, buffer);
      case INS_ACKNOWLEDGE_RECEIPTS:
        kept(buffer, length == 32);
        receipts.acknowledge(buffer, DATA);
        return 0;
      case INS_LEAVE:
        active(buffer, length == 12);
        return purchases.leave(buffer, DATA);
      case INS_SIGN_REQUEST:
        return signRequest(buffer, length);
      case INS_VERIFY:
        active(buffer, length == HolderPin.LENGTH);
        pin.verify(buffer, DATA);
        return 0;
      case INS_CHANGE_PIN:
        active(buffer, length == (short) (2 * HolderPin.LENGTH));
        pin.change(buffer, DATA);
        return 0;
      case INS_SET_SPEND_LIMIT:
        active(buffer, length == 6);
        pin.require();
        purse.limitSpending(buffer, DATA);
        return 0;
      case INS_GET_LOG:
        return getLog(buffer, length);
      case INS_GENERATE_KEY_PAIR:
        return generateKeyPair(buffer, length);
      case INS_GET_DATA:
        return ModuleData.write(persistent, buffer, length);
      default:
        ISOException.throwIt(StatusWords.UNKNOWN_INSTRUCTION);
        return 0;
    }
  }

  /** Reads the command's data to {@link #DATA} and returns its length. */
  private static short receive(APDU apdu, byte[] buffer) {
    short end = (short) (DATA + apdu.setIncomingAndReceive());
    short length = apdu.getIncomingLength();
    if (length > (short) ((short) buffer.length - DATA)) {
      ISOException.throwIt(StatusWords.WRONG_LENGTH);
    }
    while (end < (short) (DATA + length)) {
      end = (short) (end + apdu.receiveBytes(end));
    }
    return length;
  }

  private static void plain(byte[] buffer, boolean lengthFits) {
    if (Util.getShort(buffer, ISO7816.OFFSET_P1) != 0) {
      ISOException.throwIt(StatusWords.WRONG_PARAMETERS);
    }
    if (!lengthFits) {
      ISOException.throwIt(StatusWords.WRONG_LENGTH);
    }
  }

  private void active(byte[] buffer, boolean lengthFits) {
    plain(buffer, lengthFits);
    if (persistent.life != Persistent.ACTIVE) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
  }

  private void activeOrBlocked(byte[] buffer, boolean lengthFits) {
    plain(buffer, lengthFits);
    if (persistent.life != Persistent.ACTIVE && persistent.life != Persistent.BLOCKED) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
  }

  /** A purse is kept, and shown, to the end of the card. */
  private void kept(byte[] buffer, boolean lengthFits) {
    if (persistent.life == Persistent.TERMINATED && purse.exists()) {
      plain(buffer, lengthFits);
    } else {
      activeOrBlocked(buffer, lengthFits);
    }
  }

  /** Throws 6982 unless the command came with all of these bits of the channel's level. */
  private void inside(byte bits) {
    if (!channel.has(bits)) {
      ISOException.throwIt(StatusWords.SECURITY);
    }
  }

  /** SELECT of this application, or of one that the card does not have. */
  private short select(byte[] buffer) {
    if (Util.getShort(buffer, ISO7816.OFFSET_P1) != P1P2_SELECT) {
      ISOException.throwIt(StatusWords.WRONG_PARAMETERS);
    }
    if (!selectingApplet()) {
      ISOException.throwIt(StatusWords.NOT_FOUND);
    }
    // deselect() did it, unless the runtime left it out or swallowed what went wrong there.
    session.close();
    pin.forget();
    channel.end();
    return SelectAnswer.write(persistent, buffer);
  }

  private void storeData(byte[] buffer, short length) {
    inside(SecureChannel.C_MAC);
    byte p1 = buffer[ISO7816.OFFSET_P1];
    if (p1 != 0 && p1 != P1_LAST) {
      ISOException.throwIt(StatusWords.WRONG_PARAMETERS);
    }
    if (length < Personalisation.HEADER) {
      ISOException.throwIt(StatusWords.WRONG_LENGTH);
    }
    if (persistent.life > Persistent.ACTIVE) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
    personalisation.store(buffer, DATA, length, p1 == P1_LAST, channel.has(SecureChannel.C_ENC));
  }

  private void setStatus(byte[] buffer, short length) {
    inside(SecureChannel.C_MAC);
    byte from = persistent.life;
    byte to = buffer[ISO7816.OFFSET_P2];
    if (buffer[ISO7816.OFFSET_P1] != P1_APPLICATION
        || (to != Persistent.ACTIVE && to != Persistent.BLOCKED && to != Persistent.TERMINATED)) {
      ISOException.throwIt(StatusWords.WRONG_PARAMETERS);
    }
    if (length != 0) {
      ISOException.throwIt(StatusWords.WRONG_LENGTH);
    }
    if (from == to) {
      return;
    }
    // Life only rises, but for a blocked card that is active again; only what was active is blocked.
    boolean allowed = to == Persistent.TERMINATED || (to == Persistent.BLOCKED ? from == Persistent.ACTIVE
        : from == Persistent.PERSONALISED || from == Persistent.BLOCKED);
    if (from == Persistent.TERMINATED || !allowed) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
    persistent.life = to;
  }

  private short generateKeyPair(byte[] buffer, short length) {
    if (persistent.keyPairs == null) {
      ISOException.throwIt(StatusWords.UNKNOWN_INSTRUCTION);
    }
    inside(SecureChannel.C_MAC);
    plain(buffer, length == 0);
    if (persistent.life != Persistent.PERSONALISED && persistent.life != Persistent.ACTIVE) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
    return persistent.keyPairs.generate(buffer);
  }

  private short signRequest(byte[] buffer, short length) {
    byte kind = buffer[ISO7816.OFFSET_P2];
    if (buffer[ISO7816.OFFSET_P1] != 0 || kind < Kinds.JOIN || kind > Kinds.LEAVE) {
      ISOException.throwIt(StatusWords.WRONG_PARAMETERS);
    }
    buffer[ISO7816.OFFSET_P2] = 0;
    active(buffer, length == Uplink.REQUEST_DATA);
    pin.requireForSessions();
    return uplink.request(kind, buffer, DATA);
  }

  private short getLog(byte[] buffer, short length) {
    byte back = buffer[ISO7816.OFFSET_P2];
    if (buffer[ISO7816.OFFSET_P1] != 0 || back < 0 || back >= Persistent.RECORDS) {
      ISOException.throwIt(StatusWords.WRONG_PARAMETERS);
    }
    buffer[ISO7816.OFFSET_P2] = 0;
    kept(buffer, length == 0);
    return purse.log(back, buffer);
  }

  private short decode(byte[] buffer, short length) {
    short from;
    short end;
    if (Util.getShort(buffer, ISO7816.OFFSET_P1) == P1P2_BLIND) {
      buffer[ISO7816.OFFSET_P1] = 0;
      active(buffer, Decoder.blindLength(length));
      from = decoder.decodeBlind(buffer, DATA, length);
      end = (short) (DATA + length);
    } else {
      active(buffer, true);
      from = decoder.decode(buffer, DATA, length);
      end = Decoder.end(DATA, length);
    }
    return Util.arrayCopyNonAtomic(buffer, from, buffer, (short) 0, (short) (end - from));
  }
}
