package tollcast.applet;

import static tollcast.applet.Instructions.*;

import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.Util;
import javacard.security.CryptoException;

/** The decode module, version 1 of the protocol: takes each command through the steps of protocol 2. */
public final class DecodeModuleApplet extends Applet {
  private static final byte CLA_INTERINDUSTRY = 0x00;
  private static final byte CLA_PLAIN = (byte) 0x80;
  private static final byte CLA_WRAPPED = (byte) 0x84;

  private static final short P1P2_SELECT = 0x0400;
  private static final short P1P2_BLIND = 0x0100;
  /** P1 of the last STORE DATA; the others have 0. */
  private static final byte P1_LAST_BLOCK = (byte) 0x80;

  private static final short DATA = Command.DATA;

  private final Persistent persistent;
  private final Transients transients;
  private final Life life;
  private final Purse purse;
  private final ReceiptRing receipts;
  private final Tally tally;
  private final Session session;
  private final Personalisation personalisation;
  private final KeyStore keys;
  private final KeyListing listing;
  private final HolderPin pin;
  private final KeyLoader keyLoader;
  private final Purchases purchases;
  private final Uplink uplink;
  private final Decoder decoder;
  private final CreditLoad creditLoad;
  private final ChannelKeys channelKeys;
  private final SecureChannel channel;

  private DecodeModuleApplet(Transients transients, byte[] parameters, short at, short length) {
    this.transients = transients;
    persistent = new Persistent();
    Mac mac = new Mac(transients);
    WorkingKeys workingKeys = new WorkingKeys(transients);
    Streams streams = new Streams(transients);
    purse = new Purse(persistent, transients);
    life = new Life(persistent, purse);
    receipts = new ReceiptRing(persistent, transients, purse, mac);
    session = new Session(transients, purse, receipts, streams);
    tally = new Tally(transients);
    PaidSegments paid = new PaidSegments(persistent.purchases);
    Debit debit = new Debit(persistent, transients, purse, paid, streams, tally);
    pin = new HolderPin(persistent);
    personalisation = new Personalisation(persistent, transients, purse, workingKeys, pin);
    keys = new KeyStore(persistent, transients);
    listing = new KeyListing(transients, keys);
    uplink = new Uplink(persistent, transients, mac);
    NumberWindow window = new NumberWindow(persistent, transients);
    Marks marks = new Marks(persistent, transients, workingKeys);
    Parents parents = new Parents(persistent, transients, keys, marks, workingKeys);
    purchases = new Purchases(persistent, transients, keys, parents, marks, paid, workingKeys, window, uplink);
    Tree tree = new Tree(persistent, transients, parents, window);
    keyLoader = new KeyLoader(persistent, transients, keys, parents, purchases, tree, uplink, workingKeys, mac, pin);
    decoder = new Decoder(persistent, transients, keys, session, debit, streams, tally);
    creditLoad = new CreditLoad(persistent, transients, purse, mac);
    Cmac cmac = new Cmac(mac.engine, transients.work);
    channelKeys = new ChannelKeys(persistent.channelKeys, persistent.channelState, cmac, parents.cipher,
        transients.work);
    channelKeys.install(parameters, at, length);
    channel = new SecureChannel(channelKeys, transients.channelKeys, transients.channelState, cmac,
        transients.work);
  }

  /**
   * The Java Card runtime calls this once. The application data in the parameters is the first key set of the secure
   * channel (protocol 9).
   */
  public static void install(byte[] parameters, short offset, byte length) {
    short control = (short) ((short) (offset + 1) + parameters[offset]);
    short data = (short) ((short) (control + 1) + parameters[control]);
    Transients transients = new Transients();
    transients.makeEngines(MacEngine.findSignature(transients.channelKeys[0], transients.work));
    new DecodeModuleApplet(transients, parameters, (short) (data + 1), (short) (parameters[data] & 0xFF)).register();
  }

  /** Another application is selected, or this one again: the open session ends as by CLOSE. */
  @Override
  public void deselect() {
    tally.end();
    session.close();
  }

  @Override
  public void process(APDU apdu) {
    try {
      byte[] buffer = apdu.getBuffer();
      byte cla = (byte) (buffer[ISO7816.OFFSET_CLA] & Command.WITHOUT_CHANNEL);
      start(cla, buffer[ISO7816.OFFSET_INS]);
      short length = CommandData.receive(apdu, buffer, cla == CLA_WRAPPED);
      if (buffer[ISO7816.OFFSET_INS] == INS_EXTERNAL_AUTHENTICATE) {
        channel.externalAuthenticate(buffer, length);
        return;
      }
      if (cla == CLA_WRAPPED) {
        length = channel.unwrap(buffer, length);
      }
      short status = StatusWords.DONE;
      short answer = 0;
      try {
        answer = run(apdu, buffer, length);
      } catch (ISOException e) {
        status = e.getReason();
        // A wrong PIN is a warning, so its answer gets an R-MAC (9.2); the answer of an error gets none.
        if ((short) (status & (short) 0xFFF0) != StatusWords.WRONG_PIN) {
          ISOException.throwIt(status);
        }
      }
      answer = channel.wrap(buffer, (short) 0, answer, status);
      if (answer != 0) {
        apdu.setOutgoingAndSend((short) 0, answer);
      }
      if (status != StatusWords.DONE) {
        ISOException.throwIt(status);
      }
    } catch (CryptoException e) {
      // An engine of the chip failed (protocol 2.2). It may be initialised with a key that is gone.
      channel.end();
      ISOException.throwIt(StatusWords.UNKNOWN_KEY);
    }
  }

  /** What every command does before its data are received; throws 6E00. */
  private void start(byte cla, byte ins) {
    channel.startCommand();
    if (cla != CLA_INTERINDUSTRY || ins != INS_GET_RESPONSE) {
      listing.dropRest();
    }
    session.startAfterReset();
    if (ins == INS_GET_PURSE) {
      // It is asked for while a stream plays, and changes nothing.
      tally.settle();
    } else if (ins != INS_DECODE) {
      tally.end();
    }
    if (!isClassOf(cla, ins)) {
      ISOException.throwIt(StatusWords.UNKNOWN_CLASS);
    }
  }

  /** Whether an instruction may come under a class (protocol 2, step 4). */
  private static boolean isClassOf(byte cla, byte ins) {
    switch (ins) {
      case INS_SELECT:
      case INS_GET_RESPONSE:
        return cla == CLA_INTERINDUSTRY;
      case INS_EXTERNAL_AUTHENTICATE:
        return cla == CLA_WRAPPED;
      default:
        return cla == CLA_PLAIN || cla == CLA_WRAPPED;
    }
  }

  /**
   * Carries out a command: steps 6 to 11 of protocol 2.
   *
   * @return length of the answer, which starts at the start of the buffer
   */
  private short run(APDU apdu, byte[] buffer, short length) {
    switch (buffer[ISO7816.OFFSET_INS]) {
      case INS_SELECT:
        return select(buffer);
      case INS_GET_RESPONSE:
        Command.requireNoParameters(buffer);
        return listing.writeRest(apdu, buffer);
      case INS_INITIALIZE_UPDATE:
        return channel.initializeUpdate(buffer, length, persistent.life != Life.TERMINATED, persistent.card,
            CardProfile.CARD_ID);
      case INS_PUT_KEY:
        channel.requireLevel(SecureChannel.C_ENC);
        life.requireWithin(Life.BLANK, Life.BLOCKED);
        return channelKeys.put(buffer, length);
      case INS_SET_STATUS:
        channel.requireLevel(SecureChannel.C_MAC);
        life.setStatus(buffer, length);
        return 0;
      case INS_STORE_DATA:
        storeData(buffer, length);
        return 0;
      case INS_OPEN_SESSION:
        requireActive(buffer, length, (short) 4);
        pin.requireForSessions();
        session.open(buffer, DATA);
        return 0;
      case INS_CLOSE_SESSION:
        requirePurse(buffer, length);
        session.close();
        return receipts.copyNewest(buffer);
      case INS_LOAD_KEY:
        Command.requireNoParameters(buffer);
        life.requireActive();
        return keyLoader.load(buffer, DATA, length);
      case INS_DELETE_KEY:
        requireActive(buffer, length, DeleteKeyCommand.SIZE);
        keys.delete(buffer, DATA);
        return 0;
      case INS_LIST_KEYS:
        requirePurse(buffer, length);
        return listing.start(apdu, buffer, channel.hasLevel(SecureChannel.C_MAC));
      case INS_DECODE:
        return decode(buffer, length);
      case INS_GET_PURSE:
        requirePurse(buffer, length);
        return purse.describe(buffer);
      case INS_START_LOAD:
        Command.requireNoParameters(buffer);
        Command.requireNoData(length);
        life.requireWithin(Life.ACTIVE, Life.BLOCKED);
        return creditLoad.start(buffer);
      case INS_LOAD_CREDIT:
        requireActive(buffer, length, LoadOrder.SIZE);
        creditLoad.load(buffer, DATA);
        return Util.arrayCopyNonAtomic(buffer, DATA, buffer, (short) 0, LoadOrder.SIZE);
      case INS_GET_RECEIPT:
        return getReceipt(buffer, length);
      case INS_ACKNOWLEDGE_RECEIPTS:
        Command.requireNoParameters(buffer);
        Command.requireLength(length, Acknowledgement.SIZE);
        life.requirePurse();
        receipts.acknowledge(buffer, DATA);
        return 0;
      case INS_LEAVE:
        requireActive(buffer, length, LeaveCommand.SIZE);
        return purchases.leave(buffer, DATA);
      case INS_SIGN_REQUEST:
        return signRequest(buffer, length);
      case INS_VERIFY:
        requireActive(buffer, length, HolderPin.LENGTH);
        pin.verify(buffer, DATA);
        return 0;
      case INS_CHANGE_PIN:
        requireActive(buffer, length, (short) (2 * HolderPin.LENGTH));
        pin.change(buffer, DATA);
        return 0;
      case INS_SET_SPEND_LIMIT:
        requireActive(buffer, length, Amount.LENGTH);
        pin.requireVerified();
        purse.setSpendLimit(buffer, DATA);
        return 0;
      case INS_GET_LOG:
        return getLog(apdu, buffer, length);
      case INS_GENERATE_KEY_PAIR:
        return generateKeyPair(buffer, length);
      case INS_GET_DATA:
        return getData(apdu, buffer, length);
      default:
        ISOException.throwIt(StatusWords.UNKNOWN_INSTRUCTION);
        return 0;
    }
  }

  /** Requires no parameters, this length of data, and an active card; in this order (protocol 2, steps 8 to 10). */
  private void requireActive(byte[] buffer, short length, short expected) {
    Command.requireNoParameters(buffer);
    Command.requireLength(length, expected);
    life.requireActive();
  }

  /** Requires no parameters, no data, and a purse that may be read; in this order (protocol 2, steps 8 to 10). */
  private void requirePurse(byte[] buffer, short length) {
    Command.requireNoParameters(buffer);
    Command.requireNoData(length);
    life.requirePurse();
  }

  /** SELECT of this application, or of one that the card does not have (protocol 2.1). */
  private short select(byte[] buffer) {
    if (Util.getShort(buffer, ISO7816.OFFSET_P1) != P1P2_SELECT) {
      ISOException.throwIt(StatusWords.WRONG_PARAMETERS);
    }
    if (!selectingApplet()) {
      ISOException.throwIt(StatusWords.NOT_FOUND);
    }
    // deselect() closes the session already, unless the runtime left it out or swallowed what went wrong there.
    session.close();
    pin.forgetVerified();
    channel.end();
    transients.initContentEngines();
    return SelectAnswer.write(persistent, buffer);
  }

  /** STORE DATA: in the order of protocol 3. */
  private void storeData(byte[] buffer, short length) {
    channel.requireLevel(SecureChannel.C_MAC);
    byte p1 = buffer[ISO7816.OFFSET_P1];
    if (p1 != 0 && p1 != P1_LAST_BLOCK) {
      ISOException.throwIt(StatusWords.WRONG_PARAMETERS);
    }
    if (length < StoreDataHeader.SIZE) {
      ISOException.throwIt(StatusWords.WRONG_LENGTH);
    }
    life.requireWithin(Life.BLANK, Life.ACTIVE);
    personalisation.store(buffer, DATA, length, p1 == P1_LAST_BLOCK, channel.hasLevel(SecureChannel.C_ENC));
  }

  private short generateKeyPair(byte[] buffer, short length) {
    if (persistent.keyPairs == null) {
      ISOException.throwIt(StatusWords.UNKNOWN_INSTRUCTION);
    }
    channel.requireLevel(SecureChannel.C_MAC);
    Command.requireNoParameters(buffer);
    Command.requireNoData(length);
    life.requireWithin(Life.PERSONALISED, Life.ACTIVE);
    return persistent.keyPairs.generate(buffer);
  }

  /** GET RECEIPT: the data is the number of a receipt, or nothing for the oldest that is not acknowledged. */
  private short getReceipt(byte[] buffer, short length) {
    Command.requireNoParameters(buffer);
    if (length != 0) {
      Command.requireLength(length, CommandData.RECEIPT_NUMBER_LENGTH);
    }
    life.requirePurse();
    return length == 0 ? receipts.copyOldest(buffer) : receipts.copy(buffer, DATA, buffer);
  }

  private short signRequest(byte[] buffer, short length) {
    byte kind = buffer[ISO7816.OFFSET_P2];
    if (buffer[ISO7816.OFFSET_P1] != 0 || !Kinds.isRequest(kind)) {
      ISOException.throwIt(StatusWords.WRONG_PARAMETERS);
    }
    Command.requireLength(length, Uplink.REQUEST_DATA_LENGTH);
    life.requireActive();
    pin.requireForSessions();
    return uplink.signRequest(kind, buffer, DATA);
  }

  private short getLog(APDU apdu, byte[] buffer, short length) {
    byte stepsBack = buffer[ISO7816.OFFSET_P2];
    if (buffer[ISO7816.OFFSET_P1] != 0 || stepsBack < 0 || stepsBack >= Persistent.RECORDS) {
      ISOException.throwIt(StatusWords.WRONG_PARAMETERS);
    }
    Command.requireNoData(length);
    life.requirePurse();
    sendStored(apdu, buffer, purse.records, purse.findRecord(stepsBack), PurseRecord.SIZE);
    return 0;
  }

  private short getData(APDU apdu, byte[] buffer, short length) {
    short object = DataAnswer.requireObject(persistent, buffer, length);
    if (object == DataObjects.VERIFICATION_KEYS) {
      sendStored(apdu, buffer, persistent.verificationKeys, (short) 0,
          (short) (Persistent.VERIFICATION_KEYS * VerificationKey.SIZE));
    }
    return DataAnswer.write(persistent, pin, buffer, object);
  }

  /**
   * Sends an answer that stands elsewhere and may be longer than the APDU buffer, in whole blocks, with its R-MAC where
   * it gets one. It ends the command: throws 9000.
   */
  private void sendStored(APDU apdu, byte[] buffer, byte[] stored, short at, short length) {
    boolean hasMac = channel.hasLevel(SecureChannel.R_MAC);
    apdu.setOutgoing();
    apdu.setOutgoingLength(hasMac ? (short) (length + SecureChannel.MAC_LENGTH) : length);
    apdu.sendBytesLong(stored, at, length);
    if (hasMac) {
      channel.writeAnswerMac(buffer, stored, at, length);
      apdu.sendBytes((short) 0, SecureChannel.MAC_LENGTH);
    }
    ISOException.throwIt(StatusWords.DONE);
  }

  private short decode(byte[] buffer, short length) {
    short from;
    short end;
    if (Util.getShort(buffer, ISO7816.OFFSET_P1) == P1P2_BLIND) {
      Decoder.requireBlindLength(length);
      life.requireActive();
      from = decoder.decodeBlind(buffer, DATA, length);
      end = (short) (DATA + length);
    } else {
      Command.requireNoParameters(buffer);
      life.requireActive();
      from = decoder.decode(buffer, DATA, length);
      end = Decoder.endOfSpan(DATA, length);
    }
    return Util.arrayCopyNonAtomic(buffer, from, buffer, (short) 0, (short) (end - from));
  }
}
