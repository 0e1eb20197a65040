import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { signLoadProof, signLoadRequest } from '../../../apdu/decode-module/money/credit-load.ts';
import { isSignedMessage } from '../../../apdu/decode-module/signed-message.ts';
import { MAX_MONEY } from '../../../apdu/layout/max-money.ts';
import { LOAD_ORDER, PURSE_STATUS } from '../../../apdu/layout/money.ts';
import { equalTags } from '../../../apdu/octets.ts';
import type { PersistentState } from '../memory/persistent-state.ts';
import type { TransientState } from '../memory/transient-state.ts';
import { refuse } from '../refusal.ts';
import { NO_TICKS, writeTicks } from './ticks.ts';

/** The most that a card is ever loaded with, in micro-units: a credit limit on top of it still fits in u48. */
const MAX_LOADED = 2 ** 48 - 2 ** 39;

/** The answer to GET PURSE (protocol 7.2). */
export function purseStatus(
  { purse, maximumBalance, currency }: PersistentState,
  { session }: TransientState,
): Uint8Array {
  const { record } = purse;
  const answer = new Uint8Array(PURSE_STATUS.length);
  PURSE_STATUS.writeUints(answer, {
    sequence: record.sequence,
    loaded: record.loaded,
    spent: record.spent,
    torn: record.torn,
    maximumBalance,
    currency,
    loadNumber: record.loadNumber,
    session: record.session,
    service: session?.service ?? 0,
    taken: record.taken,
    receiptsWritten: record.receiptsWritten,
    receiptsAcknowledged: record.receiptsAcknowledged,
    unacknowledged: record.unacknowledged,
  });
  writeTicks(answer, PURSE_STATUS.at.usedTicks, session?.used ?? NO_TICKS);
  return answer;
}

/** The load request, S1 (protocol 7.4). */
export function startLoad({ purse, cardId, currency, keys }: PersistentState): Uint8Array {
  const { record } = purse;
  const request = {
    cardId,
    number: record.loadNumber,
    currency,
    loaded: BigInt(record.loaded),
    spent: BigInt(record.spent),
    torn: BigInt(record.torn),
    taken: BigInt(record.taken),
    lastLoadId: record.loadId,
    lastAmount: BigInt(record.loadAmount),
    receiptsWritten: record.receiptsWritten,
  };
  return signLoadRequest(request, keys.loadOut);
}

/**
 * LOAD CREDIT (protocol 7.4).
 * @param order load order (S2) or credit limit, 64 octets.
 * @returns the load proof (S3), or the proof of the limit.
 * @throws Refusal
 */
export function loadCredit(persistent: PersistentState, order: Uint8Array): Uint8Array {
  const { purse, keys, cardId, currency, maximumBalance } = persistent;
  const { record } = purse;
  const setsLimit = order[LOAD_ORDER.at.kind] === KIND.creditLimit;
  const kind = setsLimit ? KIND.creditLimit : KIND.loadOrder;
  if (!isSignedMessage(LOAD_ORDER, kind, order, keys.loadIn)) refuse(STATUS.CRYPTO);
  if (
    !equalTags(LOAD_ORDER.view(order, 'cardId'), cardId) ||
    LOAD_ORDER.readUint(order, 'currency') !== currency ||
    !LOAD_ORDER.isReservedZero(order)
  ) {
    refuse(STATUS.BAD_FIELD);
  }
  const number = LOAD_ORDER.readUint(order, 'number');
  const amount = LOAD_ORDER.readUint(order, 'amount');
  const loadId = LOAD_ORDER.view(order, 'loadId').slice();
  if (setsLimit && amount + maximumBalance > Number(MAX_MONEY)) refuse(STATUS.BAD_FIELD);
  const isRepeated =
    number === record.loadNumber &&
    amount === record.loadAmount &&
    setsLimit === record.limitLoaded &&
    equalTags(loadId, record.loadId);
  if (!isRepeated) {
    if (number !== record.loadNumber + 1) refuse(STATUS.OLD_NUMBER);
    const loaded = record.loaded + amount;
    if (!setsLimit && (loaded - record.spent > maximumBalance || loaded > MAX_LOADED)) {
      refuse(STATUS.ABOVE_MAXIMUM_BALANCE);
    }
    purse.changeRecord({
      ...(setsLimit ? { creditLimit: amount } : { loaded }),
      loadNumber: number,
      loadId,
      loadAmount: amount,
      limitLoaded: setsLimit,
    });
  }
  return signLoadProof(order, keys.loadOut);
}
