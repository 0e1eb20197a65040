import { CLA_ISO, CLA_MODULE, INS, STORE_LAST, STORE_MORE } from '../../apdu/decode-module/instruction.ts';
import { STATUS } from '../../apdu/decode-module/module-status.ts';
import {
  CAPABILITY,
  encodeSelectAnswer,
  LIFE,
  lifeStateOf,
  MODULE_AID,
} from '../../apdu/decode-module/select-answer.ts';
import { CardGoneError, FormatError } from '../../apdu/errors.ts';
import { type CommandApdu, needsExtendedLength, parseCommand } from '../../apdu/iso7816/command-apdu.ts';
import { encodeResponse } from '../../apdu/iso7816/response-apdu.ts';
import { fromHex, readUint } from '../../apdu/octets.ts';
import { acknowledgeReceipts, getReceipt, loadCredit, newestReceipt, purseStatus, startLoad } from './credit.ts';
import { decode } from './decode.ts';
import { type CardStore, type CutPoint, type Eeprom, PowerCut } from './eeprom.ts';
import { deleteKey, listKeys } from './key-slots.ts';
import { loadKey } from './load-key.ts';
import { blankImage, openEeprom, PersistentState } from './persistent-state.ts';
import { closeSession, openSession, settleTornSession } from './purse.ts';
import { storeData } from './store-data.ts';
import { TransientState } from './transient-state.ts';

/** What a card has done since its start. */
export interface CardCounts {
  /** Command APDUs, refused ones too. */
  readonly commands: number;
  /** Atomic writes to persistent memory. */
  readonly persistentWrites: number;
}

/** Data, or the status word of a command that has none to give. */
type Answer = Uint8Array | number;

/** What the table of commands says of one; `firmware-notes/protocol.md` 2. */
interface Rule {
  readonly p1: readonly number[];
  /** P2 that must be; nothing: any. */
  readonly p2?: number;
  /** Lengths of data allowed; nothing: the command looks itself. */
  readonly lengths?: readonly number[];
  /** As in `LIFE`. */
  readonly life?: readonly number[];
}

const MAX_SPAN = 208;
const MAX_COMMAND_DATA = 255;
/** A list is cut after this many octets. */
const LIST_PART = 240;
const CAPABILITIES =
  (1 << CAPABILITY.suite1) | (1 << CAPABILITY.octets) | (1 << CAPABILITY.duration) | (1 << CAPABILITY.flat);

const ATR = fromHex('3B80800101');
const NO_DATA = new Uint8Array(0);
const ZERO = [0] as const;
const ACTIVE = [LIFE.active] as const;
const ACTIVE_OR_BLOCKED = [LIFE.active, LIFE.blocked] as const;

const RULES: ReadonlyMap<number, Rule> = new Map<number, Rule>([
  [INS.SELECT, { p1: [4], p2: 0 }],
  [INS.GET_RESPONSE, { p1: ZERO, p2: 0, lengths: [0] }],
  [INS.STORE_DATA, { p1: [STORE_MORE, STORE_LAST], life: [LIFE.blank, LIFE.personalised] }],
  [INS.OPEN_SESSION, { p1: ZERO, p2: 0, lengths: [4], life: ACTIVE }],
  [INS.CLOSE_SESSION, { p1: ZERO, p2: 0, lengths: [0], life: ACTIVE_OR_BLOCKED }],
  [INS.LOAD_KEY, { p1: ZERO, p2: 0, life: ACTIVE }],
  [INS.DELETE_KEY, { p1: ZERO, p2: 0, lengths: [9], life: ACTIVE }],
  [INS.LIST_KEYS, { p1: ZERO, p2: 0, lengths: [0], life: ACTIVE_OR_BLOCKED }],
  [INS.DECODE, { p1: ZERO, p2: 0, life: ACTIVE }],
  [INS.GET_PURSE, { p1: ZERO, p2: 0, lengths: [0], life: ACTIVE_OR_BLOCKED }],
  [INS.START_LOAD, { p1: ZERO, p2: 0, lengths: [0], life: ACTIVE_OR_BLOCKED }],
  [INS.LOAD_CREDIT, { p1: ZERO, p2: 0, lengths: [64], life: ACTIVE }],
  [INS.GET_RECEIPT, { p1: ZERO, p2: 0, lengths: [0, 4], life: ACTIVE_OR_BLOCKED }],
  [INS.ACKNOWLEDGE, { p1: ZERO, p2: 0, lengths: [32], life: ACTIVE_OR_BLOCKED }],
]);

/** The decode module in TypeScript: answers as `firmware-notes/protocol.md` says, octet by octet. */
export class SoftCard {
  readonly #eeprom: Eeprom;
  #persistent: PersistentState;
  /** Nothing while the power is off. */
  #transient: TransientState | undefined;
  #commands = 0;
  #cut: CutPoint | undefined;

  /**
   * @param store keeps the card; without it the card is gone with this object.
   * @throws FormatError when the store holds something that is not a card of this version.
   */
  constructor(store?: CardStore) {
    this.#eeprom = openEeprom(store);
    this.#persistent = new PersistentState(this.#eeprom);
  }

  /** Power, or a reset: everything in RAM is gone. @returns the answer to reset. */
  powerOn(): Uint8Array {
    this.#persistent = new PersistentState(this.#eeprom);
    this.#transient = new TransientState(this.#persistent.record.marks);
    return ATR.slice();
  }

  /** Forgets everything that was ever stored; the card is powered up again if it was. */
  erase(): void {
    const powered = this.#transient !== undefined;
    this.#eeprom.write({ at: 0, octets: blankImage() });
    this.powerOn();
    if (!powered) this.powerOff();
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
    if (typeof answer === 'number') return encodeResponse(NO_DATA, answer);
    if (transient.rest.length === 0) return encodeResponse(answer, STATUS.DONE);
    return encodeResponse(answer, 0x6100 | (Math.min(transient.rest.length, 256) % 256));
  }

  /** CLA, INS, P1 P2, length, life state; then what the command says itself. */
  #dispatch(transient: TransientState, command: CommandApdu): Answer {
    const { cla, ins, p1, p2, data = NO_DATA } = command;
    if (!transient.selected && !isSelect(command)) return STATUS.NOT_SELECTED;
    if (needsExtendedLength(command)) return STATUS.WRONG_LENGTH;
    if (cla !== CLA_ISO || ins !== INS.GET_RESPONSE) transient.rest = NO_DATA;
    if (cla !== (ins === INS.SELECT || ins === INS.GET_RESPONSE ? CLA_ISO : CLA_MODULE)) return STATUS.UNKNOWN_CLASS;
    const rule = RULES.get(ins);
    if (rule === undefined) return STATUS.UNKNOWN_INSTRUCTION;
    if (!rule.p1.includes(p1) || (rule.p2 ?? p2) !== p2) return STATUS.WRONG_PARAMETERS;
    if (rule.lengths?.includes(data.length) === false) return STATUS.WRONG_LENGTH;
    if (ins === INS.STORE_DATA && data.length < 3) return STATUS.WRONG_LENGTH;
    if (rule.life?.includes(this.#persistent.life) === false) return STATUS.NOT_NOW;
    return this.#run(transient, ins, p1, data);
  }

  #run(transient: TransientState, ins: number, p1: number, data: Uint8Array): Answer {
    const persistent = this.#persistent;
    switch (ins) {
      case INS.DECODE:
        return decode(persistent, transient, data);
      case INS.SELECT:
        return this.#select(transient, data);
      case INS.GET_RESPONSE:
        return getResponse(transient);
      case INS.STORE_DATA:
        return storeData(persistent, data, p1 === STORE_LAST);
      case INS.OPEN_SESSION: {
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
        return takePart(transient);
      case INS.GET_PURSE:
        return purseStatus(persistent, transient);
      case INS.START_LOAD:
        return startLoad(persistent);
      case INS.LOAD_CREDIT:
        return loadCredit(persistent, data);
      case INS.GET_RECEIPT:
        return getReceipt(persistent, data);
      case INS.ACKNOWLEDGE:
        return acknowledgeReceipts(persistent, data);
      default:
        return STATUS.UNKNOWN_INSTRUCTION;
    }
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
