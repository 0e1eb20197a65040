import { CLA_ISO, DECODE_BLIND, INS, STORE_LAST } from '../../apdu/decode-module/instruction.ts';
import { DATA_OBJECT, encodeModuleData } from '../../apdu/decode-module/module-data.ts';
import { STATUS } from '../../apdu/decode-module/module-status.ts';
import {
  CAPABILITY,
  encodeSelectAnswer,
  LIFE,
  lifeStateOf,
  MODULE_AID,
} from '../../apdu/decode-module/select-answer.ts';
import { signRequest } from '../../apdu/decode-module/requests/signed-request.ts';
import { CardGoneError, FormatError } from '../../apdu/errors.ts';
import type { ChannelKeySet } from '../../apdu/secure-channel/scp03-keys.ts';
import { CLA_SECURE } from '../../apdu/secure-channel/security-level.ts';
import { TEST_KEY_SET } from '../../apdu/secure-channel/test-key-set.ts';
import { type CommandApdu, needsExtendedLength, parseCommand } from '../../apdu/iso7816/command-apdu.ts';
import { encodeResponse } from '../../apdu/iso7816/response-apdu.ts';
import { fromHex, readUint } from '../../apdu/octets.ts';
import { acknowledgeReceipts, getReceipt, loadCredit, newestReceipt, purseStatus, startLoad } from './money/credit.ts';
import { classesOf, refusalOf } from './command-rules.ts';
import { decode, decodeBlind } from './decode.ts';
import { type CardStore, type CutPoint, type Eeprom, PowerCut } from './memory/eeprom.ts';
import { changePin, mayOpen, verifyPin } from './holder-pin.ts';
import { deleteKey, listKeys } from './keys/key-places.ts';
import { setStatus } from './life.ts';
import { loadKey } from './keys/load-key.ts';
import { blankImage, openEeprom, PersistentState, requireImage } from './memory/persistent-state.ts';
import { leave } from './keys/purchases.ts';
import { closeSession, openSession, settleTornSession } from './money/purse.ts';
import { CardSecureChannel } from './secure-channel.ts';
import { storeData } from './store-data.ts';
import { TransientState } from './memory/transient-state.ts';

/** What a card has done since its start. */
export interface CardCounts {
  /** Command APDUs, refused ones too. */
  readonly commands: number;
  /** Atomic writes to persistent memory. */
  readonly persistentWrites: number;
}

/** Data, or the status word of a command that has none to give. */
type Answer = Uint8Array | number;

const MAX_SPAN = 208;
const MAX_COMMAND_DATA = 255;
/** A list is cut after this many octets. */
const LIST_PART = 240;
const CAPABILITIES =
  (1 << CAPABILITY.suite1) |
  (1 << CAPABILITY.octets) |
  (1 << CAPABILITY.duration) |
  (1 << CAPABILITY.flat) |
  (1 << CAPABILITY.scp03) |
  (1 << CAPABILITY.pin) |
  (1 << CAPABILITY.marks) |
  (1 << CAPABILITY.tree) |
  (1 << CAPABILITY.p256) |
  (1 << CAPABILITY.blind);
const VERSION = 0x0100;
/** As many as fit in the answer: nobody counts this module's memory. */
const FREE_PAGES = 0xffff;

const ATR = fromHex('3B80800101');
const NO_DATA = new Uint8Array(0);
/** The decode module in TypeScript: answers as `firmware-notes/protocol.md` says, octet by octet. */
export class SoftCard {
  readonly #eeprom: Eeprom;
  readonly #installed: ChannelKeySet;
  #persistent: PersistentState;
  /** Nothing while the power is off. */
  #transient: TransientState | undefined;
  #commands = 0;
  #cut: CutPoint | undefined;

  /**
   * @param store keeps the card; without it the card is gone with this object.
   * @param installed first key set of the secure channel; it counts for a new card only.
   * @throws FormatError when the store holds something that is not a card of this version.
   */
  constructor(store?: CardStore, installed: ChannelKeySet = TEST_KEY_SET) {
    this.#installed = installed;
    this.#eeprom = openEeprom(installed, store);
    this.#persistent = new PersistentState(this.#eeprom);
  }

  /** Power, or a reset: everything in RAM is gone. @returns the answer to reset. */
  powerOn(): Uint8Array {
    this.#persistent = new PersistentState(this.#eeprom);
    this.#transient = new TransientState(
      this.#persistent.record.marks,
      new CardSecureChannel(this.#persistent.channel),
    );
    return ATR.slice();
  }

  /** A copy of all that the card keeps without power. */
  get memory(): Uint8Array {
    return this.#eeprom.image.slice();
  }

  /**
   * Puts another memory in the place of the card's, as the owner of a soft card can. A card that has power is reset.
   * @param image what `memory` gave, of this card or of another.
   * @throws FormatError when it is not a memory of this version.
   */
  restore(image: Uint8Array): void {
    requireImage(image);
    const powered = this.#transient !== undefined;
    this.#eeprom.write({ at: 0, octets: image });
    this.powerOn();
    if (!powered) this.powerOff();
  }

  /** Makes it a new card: what it kept is gone. A card that has power is reset. */
  erase(): void {
    this.restore(blankImage(this.#installed));
  }

  powerOff(): void {
    this.#transient = undefined;
  }

  get counts(): CardCounts {
    return { commands: this.#commands, persistentWrites: this.#eeprom.writes };
  }

  /** Lets the power fail in the next command: when it has made this many writes, or after its last one and before the answer. */
  cut(point: CutPoint): void {
    this.#cut = point;
  }

  /**
   * One command.
   * @param command 0 to 65,544 octets.
   * @returns data and status word.
   * @throws CardGoneError when the power is off, or fails in this command.
   */
  transmit(command: Uint8Array): Uint8Array {
    const transient = this.#transient;
    if (transient === undefined) throw new CardGoneError();
    this.#commands++;
    const cut = this.#cut;
    this.#cut = undefined;
    try {
      this.#eeprom.beginCommand(cut);
      const answer = this.#answer(transient, command);
      this.#eeprom.endCommand();
      return answer;
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      this.powerOff();
      throw new CardGoneError(undefined, { cause: error });
    }
  }

  #answer(transient: TransientState, octets: Uint8Array): Uint8Array {
    let command: CommandApdu;
    try {
      command = parseCommand(octets);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return encodeResponse(NO_DATA, STATUS.WRONG_LENGTH);
    }
    const answer = this.#dispatch(transient, command);
    if (answer instanceof Uint8Array && transient.rest.length > 0) {
      return encodeResponse(answer, STATUS.MORE | (Math.min(transient.rest.length, 256) % 256));
    }
    const data = typeof answer === 'number' ? NO_DATA : answer;
    const status = typeof answer === 'number' ? answer : STATUS.DONE;
    return transient.level === 0 ? encodeResponse(data, status) : transient.channel.wrap(data, status);
  }

  /** CLA, secure messaging, and then the command as it was before. */
  #dispatch(transient: TransientState, command: CommandApdu): Answer {
    const { cla, ins } = command;
    transient.level = 0;
    if (!transient.selected && !isSelect(command)) return STATUS.NOT_SELECTED;
    if (needsExtendedLength(command)) return STATUS.WRONG_LENGTH;
    if (cla !== CLA_ISO || ins !== INS.GET_RESPONSE) transient.rest = NO_DATA;
    if (!classesOf(ins).includes(cla)) return STATUS.UNKNOWN_CLASS;
    if (ins === INS.EXTERNAL_AUTHENTICATE) return transient.channel.externalAuthenticate(command);
    if (cla !== CLA_SECURE) return this.#check(transient, command);
    const unwrapped = transient.channel.unwrap(command);
    if (typeof unwrapped === 'number') return unwrapped;
    transient.level = unwrapped.level;
    return this.#check(transient, unwrapped.command);
  }

  /** INS, secure messaging where it is needed, P1 P2, length, life state; then what the command says itself. */
  #check(transient: TransientState, command: CommandApdu): Answer {
    const { ins, p1, p2, data = NO_DATA } = command;
    if (ins === INS.GET_DATA) return this.#data((p1 << 8) | p2, data);
    const refusal = refusalOf(this.#persistent, transient.level, command);
    if (refusal !== undefined) return refusal;
    return this.#run(transient, command);
  }

  #run(transient: TransientState, command: CommandApdu): Answer {
    const { ins, p1, p2, data = NO_DATA } = command;
    const persistent = this.#persistent;
    switch (ins) {
      case INS.DECODE:
        return p1 === DECODE_BLIND ? decodeBlind(persistent, transient, data) : decode(persistent, transient, data);
      case INS.SELECT:
        return this.#select(transient, data);
      case INS.GET_RESPONSE:
        return getResponse(transient);
      case INS.STORE_DATA:
        return storeData(persistent, transient, data, p1 === STORE_LAST);
      case INS.INITIALIZE_UPDATE:
        return transient.channel.initializeUpdate(command, persistent.life !== LIFE.terminated);
      case INS.PUT_KEY:
        return transient.channel.putKey(command);
      case INS.SET_STATUS:
        return setStatus(persistent, p2);
      case INS.OPEN_SESSION: {
        if (!mayOpen(persistent, transient)) return STATUS.SECURITY;
        const service = readUint(data, 0, 4);
        if (service === 0) return STATUS.BAD_FIELD;
        openSession(persistent, transient, service);
        return NO_DATA;
      }
      case INS.CLOSE_SESSION:
        closeSession(persistent, transient);
        return newestReceipt(persistent);
      case INS.LOAD_KEY:
        return loadKey(persistent, transient, data);
      case INS.DELETE_KEY:
        return deleteKey(persistent, transient, data);
      case INS.LIST_KEYS:
        transient.rest = listKeys(persistent, transient);
        if (transient.level !== 0 && transient.rest.length > LIST_PART) {
          transient.rest = NO_DATA;
          return STATUS.NO_ROOM;
        }
        return takePart(transient);
      case INS.GET_PURSE:
        return purseStatus(persistent, transient);
      case INS.START_LOAD:
        return startLoad(persistent);
      case INS.LOAD_CREDIT:
        return loadCredit(persistent, data);
      case INS.GET_RECEIPT:
        return getReceipt(persistent, data);
      case INS.VERIFY:
        return verifyPin(persistent, transient, data);
      case INS.CHANGE_PIN:
        return changePin(persistent, transient, data);
      case INS.SET_SPEND_LIMIT:
        if (!transient.pinVerified) return STATUS.SECURITY;
        persistent.changeRecord({ spendLimit: readUint(data, 0, 6) });
        return NO_DATA;
      case INS.GET_LOG:
        return persistent.loggedRecord(p2)?.slice() ?? STATUS.NOT_FOUND;
      case INS.ACKNOWLEDGE_RECEIPTS:
        return acknowledgeReceipts(persistent, data);
      case INS.GENERATE_KEY_PAIR:
        return persistent.keyPairs.generate();
      case INS.LEAVE:
        return leave(persistent, transient, data);
      case INS.SIGN_REQUEST:
        if (!mayOpen(persistent, transient)) return STATUS.SECURITY;
        return signRequest(p2, persistent.cardId, data, persistent.keys.uplink);
      default:
        return STATUS.UNKNOWN_INSTRUCTION;
    }
  }

  /** GET DATA, `firmware-notes/protocol.md` 2.3. */
  #data(object: number, data: Uint8Array): Answer {
    const point = object === DATA_OBJECT.publicKey ? this.#persistent.keyPairs.point : undefined;
    const known = object === DATA_OBJECT.module || object === DATA_OBJECT.verificationKeys || point !== undefined;
    if (!known) return STATUS.UNKNOWN_KEY;
    if (data.length !== 0) return STATUS.WRONG_LENGTH;
    if (object === DATA_OBJECT.verificationKeys) return this.#persistent.verificationKeys.slice();
    if (point !== undefined) return point;
    return encodeModuleData({
      capabilities: CAPABILITIES,
      maxSpan: MAX_SPAN,
      maxCommandData: MAX_COMMAND_DATA,
      appletVersion: VERSION,
      freePages: FREE_PAGES,
    });
  }

  /** `firmware-notes/protocol.md` 2.1. */
  #select(transient: TransientState, aid: Uint8Array): Answer {
    if (aid.length !== MODULE_AID.length || !MODULE_AID.every((octet, index) => octet === aid[index])) {
      return STATUS.NOT_FOUND;
    }
    const persistent = this.#persistent;
    if (!transient.selected) settleTornSession(persistent);
    transient.selected = true;
    closeSession(persistent, transient);
    transient.pinVerified = false;
    transient.channel.end();
    return encodeSelectAnswer({
      version: 1,
      cardId: persistent.cardId,
      life: lifeStateOf(persistent.life) ?? 'terminated',
      capabilities: CAPABILITIES,
      maxSpan: MAX_SPAN,
      maxCommandData: MAX_COMMAND_DATA,
      currency: persistent.currency,
    });
  }
}

function isSelect({ cla, ins, p1, p2, extended }: CommandApdu): boolean {
  return cla === CLA_ISO && ins === INS.SELECT && p1 === 0x04 && p2 === 0x00 && extended !== true;
}

function getResponse(transient: TransientState): Answer {
  return transient.rest.length === 0 ? STATUS.NOT_NOW : takePart(transient);
}

function takePart(transient: TransientState): Uint8Array {
  const part = transient.rest.subarray(0, LIST_PART);
  transient.rest = transient.rest.subarray(LIST_PART);
  return part;
}
