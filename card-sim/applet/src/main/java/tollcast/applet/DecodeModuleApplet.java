package tollcast.applet;

import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.Util;

/** The decode module, version 1 of the protocol: its commands (protocol 2). */
public final class DecodeModuleApplet extends Applet {
  private static final byte CLA = (byte) 0x80;
  private static final byte INS_SELECT = (byte) 0xA4;
  private static final byte INS_GET_RESPONSE = (byte) 0xC0;
  private static final byte INS_STORE_DATA = (byte) 0xE2;
  private static final byte INS_OPEN_SESSION = 0x30;
  private static final byte INS_CLOSE_SESSION = 0x32;
  private static final byte INS_LOAD_KEY = 0x34;
  private static final byte INS_DELETE_KEY = 0x36;
  private static final byte INS_LIST_KEYS = 0x38;
  private static final byte INS_DECODE = 0x3A;
  private static final byte INS_GET_PURSE = 0x40;
  private static final byte INS_LOAD_CREDIT_START = 0x42;
  private static final byte INS_LOAD_CREDIT = 0x44;
  private static final byte INS_GET_RECEIPT = 0x46;
  private static final byte INS_ACKNOWLEDGE_RECEIPTS = 0x48;

  private static final short P1P2_SELECT = 0x0400;
  private static final byte P1_LAST = (byte) 0x80;
  private static final short DATA = ISO7816.OFFSET_CDATA;

  private final Persistent persistent;
  private final Purse purse;
  private final Receipts receipts;
  private final Session session;
  private final Personalisation personalisation;
  private final KeyStore keys;
  private final KeyListing listing;
  private final KeyMessages keyMessages;
  private final Decoder decoder;
  private final CreditLoad creditLoad;

  private DecodeModuleApplet() {
    persistent = new Persistent();
    Transients transients = new Transients();
    Mac mac = new Mac(transients);
    KeySplit split = new KeySplit(transients);
    Streams streams = new Streams(transients);
    purse = new Purse(persistent, transients);
    receipts = new Receipts(persistent, transients, purse, mac);
    session = new Session(persistent, transients, purse, receipts, streams);
    personalisation = new Personalisation(persistent, transients, purse, split);
    keys = new KeyStore(persistent, transients);
    listing = new KeyListing(persistent, transients);
    keyMessages = new KeyMessages(persistent, transients, keys, mac, split);
    decoder = new Decoder(persistent, transients, keys, session, streams);
    creditLoad = new CreditLoad(persistent, transients, purse, mac);
  }

  /** Called by the Java Card runtime; takes no parameters of its own. */
  public static void install(byte[] parameters, short offset, byte length) {
    new DecodeModuleApplet().register();
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
    boolean interindustry = ins == INS_SELECT || ins == INS_GET_RESPONSE;
    if (cla != 0 || ins != INS_GET_RESPONSE) {
      listing.forget();
    }
    session.start();
    if (cla != (interindustry ? (byte) 0 : CLA)) {
      ISOException.throwIt(StatusWords.CLA);
    }
    short length = receive(apdu, buffer);
    switch (ins) {
      case INS_SELECT:
        select(apdu, buffer);
        break;
      case INS_GET_RESPONSE:
        plain(buffer, length == 0);
        listing.goOn(apdu, buffer);
        break;
      case INS_STORE_DATA:
        storeData(buffer, length);
        break;
      case INS_OPEN_SESSION:
        active(buffer, length == 4);
        session.open(buffer, DATA);
        break;
      case INS_CLOSE_SESSION:
        activeOrBlocked(buffer, length == 0);
        session.close();
        send(apdu, receipts.newest(buffer));
        break;
      case INS_LOAD_KEY:
        active(buffer, true);
        keyMessages.load(buffer, DATA, length);
        break;
      case INS_DELETE_KEY:
        active(buffer, length == 9);
        keys.delete(buffer, DATA);
        break;
      case INS_LIST_KEYS:
        activeOrBlocked(buffer, length == 0);
        listing.start(apdu, buffer);
        break;
      case INS_DECODE:
        active(buffer, true);
        decode(apdu, buffer, length);
        break;
      case INS_GET_PURSE:
        activeOrBlocked(buffer, length == 0);
        send(apdu, purse.describe(buffer));
        break;
      case INS_LOAD_CREDIT_START:
        activeOrBlocked(buffer, length == 0);
        send(apdu, creditLoad.start(buffer));
        break;
      case INS_LOAD_CREDIT:
        active(buffer, length == CreditLoad.LENGTH);
        creditLoad.load(buffer, DATA);
        apdu.setOutgoingAndSend(DATA, CreditLoad.LENGTH);
        break;
      case INS_GET_RECEIPT:
        activeOrBlocked(buffer, length == 0 || length == 4);
        send(apdu, length == 0 ? receipts.oldest(buffer) : receipts.get(buffer, DATA, buffer));
        break;
      case INS_ACKNOWLEDGE_RECEIPTS:
        activeOrBlocked(buffer, length == 32);
        receipts.acknowledge(buffer, DATA);
        break;
      default:
        ISOException.throwIt(StatusWords.INS);
    }
  }

  /** Reads the command's data to {@link #DATA} and returns its length. */
  private static short receive(APDU apdu, byte[] buffer) {
    short end = (short) (DATA + apdu.setIncomingAndReceive());
    short length = apdu.getIncomingLength();
    if (length > (short) ((short) buffer.length - DATA)) {
      ISOException.throwIt(StatusWords.LENGTH);
    }
    while (end < (short) (DATA + length)) {
      end = (short) (end + apdu.receiveBytes(end));
    }
    return length;
  }

  private static void send(APDU apdu, short length) {
    if (length != 0) {
      apdu.setOutgoingAndSend((short) 0, length);
    }
  }

  private static void plain(byte[] buffer, boolean lengthFits) {
    if (Util.getShort(buffer, ISO7816.OFFSET_P1) != 0) {
      ISOException.throwIt(StatusWords.P1P2);
    }
    if (!lengthFits) {
      ISOException.throwIt(StatusWords.LENGTH);
    }
  }

  private void active(byte[] buffer, boolean lengthFits) {
    plain(buffer, lengthFits);
    if (persistent.life != Persistent.ACTIVE) {
      ISOException.throwIt(StatusWords.STATE);
    }
  }

  private void activeOrBlocked(byte[] buffer, boolean lengthFits) {
    plain(buffer, lengthFits);
    if (persistent.life != Persistent.ACTIVE && persistent.life != Persistent.BLOCKED) {
      ISOException.throwIt(StatusWords.STATE);
    }
  }

  /** SELECT of this application, or of one that the card does not have. */
  private void select(APDU apdu, byte[] buffer) {
    if (Util.getShort(buffer, ISO7816.OFFSET_P1) != P1P2_SELECT) {
      ISOException.throwIt(StatusWords.P1P2);
    }
    if (!selectingApplet()) {
      ISOException.throwIt(StatusWords.NOT_FOUND);
    }
    // deselect() did it, unless the runtime left it out or swallowed what went wrong there.
    session.close();
    send(apdu, SelectAnswer.write(persistent, buffer));
  }

  private void storeData(byte[] buffer, short length) {
    byte p1 = buffer[ISO7816.OFFSET_P1];
    if (p1 != 0 && p1 != P1_LAST) {
      ISOException.throwIt(StatusWords.P1P2);
    }
    if (length < Personalisation.HEADER) {
      ISOException.throwIt(StatusWords.LENGTH);
    }
    if (persistent.life != Persistent.BLANK && persistent.life != Persistent.PERSONALISED) {
      ISOException.throwIt(StatusWords.STATE);
    }
    personalisation.store(buffer, DATA, length, p1 == P1_LAST);
  }

  private void decode(APDU apdu, byte[] buffer, short length) {
    short from = decoder.decode(buffer, DATA, length);
    short octets = (short) (Decoder.end(DATA, length) - from);
    if (octets != 0) {
      apdu.setOutgoingAndSend(from, octets);
    }
  }
}
