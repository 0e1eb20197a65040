import { CLA_ISO, CLA_MODULE, DECODE_BLIND, INS, STORE_LAST } from '../../apdu/decode-module/instruction.ts';
import { STATUS } from '../../apdu/decode-module/module-status.ts';
import { signRequest } from '../../apdu/decode-module/requests/signed-request.ts';
import { LIFE, MODULE_AID } from '../../apdu/decode-module/select-answer.ts';
import { FormatError } from '../../apdu/errors.ts';
import { type CommandApdu, needsExtendedLength, parseCommand } from '../../apdu/iso7816/command-apdu.ts';
import { encodeResponse } from '../../apdu/iso7816/response-apdu.ts';
import { SPEND_LIMIT_DATA } from '../../apdu/layout/card.ts';
import { equalTags, readUint } from '../../apdu/octets.ts';
import { CLA_SECURE } from '../../apdu/secure-channel/security-level.ts';
import { classesOf, requireAllowed, takesData } from './command-rules.ts';
import { decode, decodeBlind } from './decode.ts';
import { changePin, requirePin, requirePinByPolicy, verifyPin } from './holder-pin.ts';
import { deleteKey, listKeys } from './keys/key-places.ts';
import { loadKey } from './keys/load-key.ts';
import { leave } from './keys/purchases.ts';
import { logicalChannelOf, onBasicChannel } from './logical-channel.ts';
import type { PersistentState } from './memory/persistent-state.ts';
import type { TransientState } from './memory/transient-state.ts';
import { getData, selectAnswer } from './module-info.ts';
import { loadCredit, purseStatus, startLoad } from './money/credit.ts';
import { acknowledgeReceipts, getReceipt, newestReceipt } from './money/receipts.ts';
import { closeSession, openSession, settleTornSession } from './money/session.ts';
import { Refusal, refuse } from './refusal.ts';
import { storeData } from './store-data.ts';

const NO_DATA = new Uint8Array(0);

/**
 * Answers one command (protocol 2).
 * @param octets of the command, 0 to 65,544.
 * @returns data and status word.
 */
export function answerCommand(persistent: PersistentState, transient: TransientState, octets: Uint8Array): Uint8Array {
  let command: CommandApdu;
  try {
    command = parseCommand(octets);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return encodeResponse(NO_DATA, STATUS.WRONG_LENGTH);
  }
  let data: Uint8Array = NO_DATA;
  let status: number = STATUS.DONE;
  try {
    data = dispatch(persistent, transient, command) ?? NO_DATA;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    ({ status } = error);
  }
  const more = transient.rest.length;
  if (more > 0 && status === STATUS.DONE) return encodeResponse(data, STATUS.MORE | (Math.min(more, 256) % 256));
  return transient.level === 0 ? encodeResponse(data, status) : transient.channel.wrap(data, status);
}

/** Steps 2 to 5 of protocol 2, then the rest of them with the command as it was before wrapping. */
function dispatch(persistent: PersistentState, transient: TransientState, sent: CommandApdu): Uint8Array | undefined {
  const { ins } = sent;
  const cla = onBasicChannel(sent.cla);
  transient.level = 0;
  requireReached(transient, sent);
  if (needsExtendedLength(sent)) refuse(STATUS.WRONG_LENGTH);
  if (cla !== CLA_ISO || ins !== INS.GET_RESPONSE) transient.rest = NO_DATA;
  if (!classesOf(ins).includes(cla)) refuse(STATUS.UNKNOWN_CLASS);
  const command = cla === CLA_MODULE && !takesData(sent) ? { ...sent, data: NO_DATA } : sent;
  if (cla !== CLA_ISO && (command.data?.length ?? 0) > transient.limits.maxCommandData) refuse(STATUS.WRONG_LENGTH);
  if (ins === INS.EXTERNAL_AUTHENTICATE) {
    transient.channel.externalAuthenticate(command);
    return undefined;
  }
  if (cla !== CLA_SECURE) return run(persistent, transient, command);
  const unwrapped = transient.channel.unwrap(command);
  transient.level = unwrapped.level;
  return run(persistent, transient, unwrapped.command);
}

/** Steps 6 to 11 of protocol 2. @returns the data of the answer, if it has any. @throws Refusal */
function run(persistent: PersistentState, transient: TransientState, command: CommandApdu): Uint8Array | undefined {
  const { ins, p1, p2, data = NO_DATA } = command;
  // GET DATA says its own order (protocol 2.3).
  if (ins === INS.GET_DATA) return getData(persistent, transient, (p1 << 8) | p2, data);
  requireAllowed(persistent, transient.level, command);
  switch (ins) {
    case INS.DECODE:
      return p1 === DECODE_BLIND ? decodeBlind(persistent, transient, data) : decode(persistent, transient, data);
    case INS.SELECT:
      return select(persistent, transient, logicalChannelOf(command.cla), data);
    case INS.GET_RESPONSE:
      if (transient.rest.length === 0) refuse(STATUS.NOT_NOW);
      return takePart(transient);
    case INS.STORE_DATA:
      storeData(persistent, transient, data, p1 === STORE_LAST);
      return undefined;
    case INS.INITIALIZE_UPDATE:
      return transient.channel.initializeUpdate(command, persistent.life !== LIFE.terminated);
    case INS.PUT_KEY:
      return transient.channel.putKey(command);
    case INS.SET_STATUS:
      setStatus(persistent, p2);
      return undefined;
    case INS.OPEN_SESSION: {
      requirePinByPolicy(persistent, transient);
      const service = readUint(data, 0, 4);
      if (service === 0) refuse(STATUS.BAD_FIELD);
      openSession(persistent, transient, service);
      return undefined;
    }
    case INS.CLOSE_SESSION:
      closeSession(persistent, transient);
      return newestReceipt(persistent.purse);
    case INS.LOAD_KEY:
      return loadKey(persistent, transient, data);
    case INS.DELETE_KEY:
      deleteKey(persistent, transient, data);
      return undefined;
    case INS.LIST_KEYS:
      transient.rest = listKeys(persistent, transient);
      if (transient.level !== 0) requireOnePart(transient);
      return takePart(transient);
    case INS.GET_PURSE:
      return purseStatus(persistent, transient);
    case INS.START_LOAD:
      return startLoad(persistent);
    case INS.LOAD_CREDIT:
      return loadCredit(persistent, data);
    case INS.GET_RECEIPT:
      return getReceipt(persistent.purse, data);
    case INS.VERIFY:
      verifyPin(persistent, transient, data);
      return undefined;
    case INS.CHANGE_PIN:
      changePin(persistent, transient, data);
      return undefined;
    case INS.SET_SPEND_LIMIT:
      requirePin(transient);
      persistent.purse.changeRecord({ spendLimit: SPEND_LIMIT_DATA.readUint(data, 'limit') });
      return undefined;
    case INS.GET_LOG:
      return persistent.purse.loggedRecord(p2)?.slice() ?? refuse(STATUS.NOT_FOUND);
    case INS.ACKNOWLEDGE_RECEIPTS:
      acknowledgeReceipts(persistent, data);
      return undefined;
    case INS.GENERATE_KEY_PAIR:
      return persistent.keyPairs.generate();
    case INS.LEAVE:
      return leave(persistent, transient, data);
    case INS.SIGN_REQUEST:
      requirePinByPolicy(persistent, transient);
      return signRequest(p2, persistent.cardId, data, persistent.keys.uplink);
    default:
      return refuse(STATUS.UNKNOWN_INSTRUCTION);
  }
}

/**
 * Requires that the command reaches the module: it is selected on the logical channel of the command, or about to be
 * selected (protocol 2, step 2). It is not multiselectable, so a Java Card refuses it on a second channel.
 * @throws Refusal
 */
function requireReached({ selectedOn }: TransientState, command: CommandApdu): void {
  const { cla, data = NO_DATA } = command;
  const logicalChannel = logicalChannelOf(cla);
  if (selectedOn !== undefined && (logicalChannel === undefined || logicalChannel === selectedOn)) return;
  if (!isSelect(command)) refuse(STATUS.NOT_SELECTED);
  if (selectedOn !== undefined) refuse(equalTags(data, MODULE_AID) ? STATUS.NOT_NOW : STATUS.NOT_FOUND);
}

function isSelect({ cla, ins, p1, p2, extended }: CommandApdu): boolean {
  return onBasicChannel(cla) === CLA_ISO && ins === INS.SELECT && p1 === 0x04 && p2 === 0x00 && extended !== true;
}

/** SELECT (protocol 2.1). @throws Refusal 6A82 for another AID. */
function select(
  persistent: PersistentState,
  transient: TransientState,
  logicalChannel: number | undefined,
  aid: Uint8Array,
): Uint8Array {
  if (!equalTags(aid, MODULE_AID)) refuse(STATUS.NOT_FOUND);
  if (transient.selectedOn === undefined) settleTornSession(persistent);
  transient.selectedOn = logicalChannel;
  closeSession(persistent, transient);
  transient.pinVerified = false;
  transient.channel.end();
  return selectAnswer(persistent, transient.limits);
}

/**
 * SET STATUS (protocol 2): active from personalised or blocked, blocked from active, terminated from all but itself.
 * @param to as in `LIFE`.
 * @throws Refusal 6985 for any other change.
 */
function setStatus(persistent: PersistentState, to: number): void {
  const from = persistent.life;
  if (from === to) return;
  if (from === LIFE.terminated) refuse(STATUS.NOT_NOW);
  const allowed: readonly number[] =
    to === LIFE.terminated ? [from] : to === LIFE.blocked ? [LIFE.active] : [LIFE.personalised, LIFE.blocked];
  if (!allowed.includes(from)) refuse(STATUS.NOT_NOW);
  persistent.life = to;
}

/** @throws Refusal 6A84 for a list that does not fit one answer: `61xx` is not given inside the secure channel. */
function requireOnePart(transient: TransientState): void {
  if (transient.rest.length <= transient.limits.listPart) return;
  transient.rest = NO_DATA;
  refuse(STATUS.NO_ROOM);
}

/** Takes the next part of a list. */
function takePart(transient: TransientState): Uint8Array {
  const { listPart } = transient.limits;
  const part = transient.rest.subarray(0, listPart);
  transient.rest = transient.rest.subarray(listPart);
  return part;
}
