import {
  CLA_ISO,
  CLA_MODULE,
  DECODE_BLIND,
  INS,
  STORE_LAST,
  STORE_MORE,
} from '../../apdu/decode-module/instruction.ts';
import { KIND } from '../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../apdu/decode-module/module-status.ts';
import { PIN_LENGTH } from '../../apdu/decode-module/pin.ts';
import { LIFE, type LifeState } from '../../apdu/decode-module/select-answer.ts';
import type { CommandApdu } from '../../apdu/iso7816/command-apdu.ts';
import { SPEND_LIMIT_DATA, STORE_DATA_HEADER } from '../../apdu/layout/card.ts';
import { KEY_NAME } from '../../apdu/layout/keys.ts';
import { ACKNOWLEDGEMENT, LOAD_ORDER } from '../../apdu/layout/money.ts';
import { LEAVE_DATA, REQUEST_DATA } from '../../apdu/layout/requests.ts';
import { C_ENC, C_MAC, CLA_SECURE } from '../../apdu/secure-channel/security-level.ts';
import { BLIND_LENGTHS } from './decode.ts';
import type { PersistentState } from './memory/persistent-state.ts';
import { RECORD_PLACES } from './money/purse-memory.ts';
import { refuse } from './refusal.ts';

/** One row of the table of commands (protocol 2). What is left out the command checks itself. */
interface Rule {
  readonly p1?: readonly number[];
  readonly p2?: readonly number[];
  /** Lengths that the data may have, in octets. */
  readonly lengths?: readonly number[];
  readonly life?: readonly LifeState[];
  /** Bits of the security level that the command must have come with. */
  readonly level?: number;
}

/** Octets of the data of GET RECEIPT, where it has some. */
const RECEIPT_NUMBER = 4;
const NO_DATA = new Uint8Array(0);
const ZERO = [0] as const;
const STEPS_BACK = Array.from({ length: RECORD_PLACES }, (_, back) => back);
const ACTIVE = ['active'] as const;
const ACTIVE_OR_BLOCKED = ['active', 'blocked'] as const;
/** Life states of a card that has a purse to show. */
const WITH_PURSE = ['active', 'blocked', 'terminated'] as const;
const ALIVE = ['blank', 'personalised', 'active', 'blocked'] as const;
/** P1 of SET STATUS names an application. */
const APPLICATION = 0x40;

const RULES: ReadonlyMap<number, Rule> = new Map<number, Rule>([
  [INS.SELECT, { p1: [4], p2: ZERO }],
  [INS.GET_RESPONSE, { p1: ZERO, p2: ZERO }],
  [INS.INITIALIZE_UPDATE, {}],
  [INS.PUT_KEY, { life: ALIVE, level: C_MAC | C_ENC }],
  [INS.SET_STATUS, { p1: [APPLICATION], p2: [LIFE.active, LIFE.blocked, LIFE.terminated], lengths: [0], level: C_MAC }],
  [INS.STORE_DATA, { p1: [STORE_MORE, STORE_LAST], life: ['blank', 'personalised', 'active'], level: C_MAC }],
  [INS.OPEN_SESSION, { p1: ZERO, p2: ZERO, lengths: [4], life: ACTIVE }],
  [INS.CLOSE_SESSION, { p1: ZERO, p2: ZERO, lengths: [0], life: WITH_PURSE }],
  [INS.LOAD_KEY, { p1: ZERO, p2: ZERO, life: ACTIVE }],
  [INS.DELETE_KEY, { p1: ZERO, p2: ZERO, lengths: [KEY_NAME.length], life: ACTIVE }],
  [INS.LIST_KEYS, { p1: ZERO, p2: ZERO, lengths: [0], life: WITH_PURSE }],
  [INS.DECODE, { p1: [0, DECODE_BLIND], p2: ZERO, life: ACTIVE }],
  [INS.GET_PURSE, { p1: ZERO, p2: ZERO, lengths: [0], life: WITH_PURSE }],
  [INS.START_LOAD, { p1: ZERO, p2: ZERO, lengths: [0], life: ACTIVE_OR_BLOCKED }],
  [INS.LOAD_CREDIT, { p1: ZERO, p2: ZERO, lengths: [LOAD_ORDER.length], life: ACTIVE }],
  [INS.GET_RECEIPT, { p1: ZERO, p2: ZERO, lengths: [0, RECEIPT_NUMBER], life: WITH_PURSE }],
  [INS.VERIFY, { p1: ZERO, p2: ZERO, lengths: [PIN_LENGTH], life: ACTIVE }],
  [INS.CHANGE_PIN, { p1: ZERO, p2: ZERO, lengths: [2 * PIN_LENGTH], life: ACTIVE }],
  [INS.SET_SPEND_LIMIT, { p1: ZERO, p2: ZERO, lengths: [SPEND_LIMIT_DATA.length], life: ACTIVE }],
  [INS.GET_LOG, { p1: ZERO, p2: STEPS_BACK, lengths: [0], life: WITH_PURSE }],
  [INS.GENERATE_KEY_PAIR, { p1: ZERO, p2: ZERO, lengths: [0], life: ['personalised', 'active'], level: C_MAC }],
  [INS.LEAVE, { p1: ZERO, p2: ZERO, lengths: [LEAVE_DATA.length], life: ACTIVE }],
  [
    INS.SIGN_REQUEST,
    {
      p1: ZERO,
      p2: [KIND.join, KIND.extend, KIND.leave, KIND.keyRequest, KIND.stay],
      lengths: [REQUEST_DATA.length],
      life: ACTIVE,
    },
  ],
  [INS.ACKNOWLEDGE_RECEIPTS, { p1: ZERO, p2: ZERO, lengths: [ACKNOWLEDGEMENT.length], life: WITH_PURSE }],
]);

/** The classes that a command may have. */
export function classesOf(ins: number): readonly number[] {
  if (ins === INS.SELECT || ins === INS.GET_RESPONSE) return [CLA_ISO];
  return ins === INS.EXTERNAL_AUTHENTICATE ? [CLA_SECURE] : [CLA_MODULE, CLA_SECURE];
}

/**
 * Whether a plain command of the module's class has data that are looked at: where the table names some, and of GET
 * RECEIPT four octets.
 */
export function takesData({ ins, data = NO_DATA }: CommandApdu): boolean {
  const rule = RULES.get(ins);
  if (rule === undefined) return false;
  return (
    rule.lengths === undefined ||
    (rule.lengths.some((length) => length > 0) && (ins !== INS.GET_RECEIPT || data.length === RECEIPT_NUMBER))
  );
}

/**
 * Checks INS, security level, P1 P2, length and life state, in the order of protocol 2.
 * @param level of the secure channel that the command came through, 0 for none.
 * @throws Refusal
 */
export function requireAllowed(persistent: PersistentState, level: number, command: CommandApdu): void {
  const { ins, p1, p2, data = NO_DATA } = command;
  const rule = RULES.get(ins);
  if (rule === undefined) refuse(STATUS.UNKNOWN_INSTRUCTION);
  const needed = rule.level ?? 0;
  if ((level & needed) !== needed) refuse(STATUS.SECURITY);
  if (rule.p1?.includes(p1) === false || rule.p2?.includes(p2) === false) refuse(STATUS.WRONG_PARAMETERS);
  if (rule.lengths?.includes(data.length) === false) refuse(STATUS.WRONG_LENGTH);
  if (ins === INS.STORE_DATA && data.length < STORE_DATA_HEADER.length) refuse(STATUS.WRONG_LENGTH);
  if (ins === INS.DECODE && p1 === DECODE_BLIND && !BLIND_LENGTHS.includes(data.length)) refuse(STATUS.WRONG_LENGTH);
  const { life, purse } = persistent;
  if (rule.life?.some((state) => LIFE[state] === life) === false) refuse(STATUS.NOT_NOW);
  // A card that was terminated before it was personalised has no purse.
  if (rule.life === WITH_PURSE && purse.record.sequence === 0) refuse(STATUS.NOT_NOW);
}
