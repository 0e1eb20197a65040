import { MAX_MONEY } from '../../../apdu/layout/max-money.ts';
import { signLoadProof, signLoadRequest } from '../../../apdu/decode-module/money/credit-load.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { ACKNOWLEDGEMENT, LOAD_ORDER, PURSE_STATUS, RECEIPT } from '../../../apdu/layout/money.ts';
import { RECEIPT_RING } from '../../../apdu/decode-module/money/receipt.ts';
import { isSignedMessage } from '../../../apdu/decode-module/signed-message.ts';
import { readUint } from '../../../apdu/octets.ts';
import type { PersistentState } from '../memory/persistent-state.ts';
import { NO_TICKS, writeTicks } from './ticks.ts';
import type { TransientState } from '../memory/transient-state.ts';

/** So that a credit limit on top of it still fits in u48. */
const MOST_LOADED = 2 ** 48 - 2 ** 39;

/** The answer to GET PURSE; `firmware-notes/protocol.md` 7.2. */
export function purseStatus(persistent: PersistentState, transient: TransientState): Uint8Array {
  const { record } = persistent;
  const { session } = transient;
  const answer = new Uint8Array(PURSE_STATUS.length);
  PURSE_STATUS.writeUint(answer, 'sequence', record.sequence);
  PURSE_STATUS.writeUint(answer, 'loaded', record.loaded);
  PURSE_STATUS.writeUint(answer, 'spent', record.spent);
  PURSE_STATUS.writeUint(answer, 'torn', record.torn);
  PURSE_STATUS.writeUint(answer, 'maximumBalance', persistent.maximumBalance);
  PURSE_STATUS.writeUint(answer, 'currency', persistent.currency);
  PURSE_STATUS.writeUint(answer, 'loadNumber', record.loadNumber);
  PURSE_STATUS.writeUint(answer, 'session', record.session);
  PURSE_STATUS.writeUint(answer, 'service', session?.service ?? 0);
  PURSE_STATUS.writeUint(answer, 'taken', record.taken);
  writeTicks(answer, PURSE_STATUS.at.usedTicks, session?.used ?? NO_TICKS);
  PURSE_STATUS.writeUint(answer, 'receiptsWritten', record.receiptsWritten);
  PURSE_STATUS.writeUint(answer, 'receiptsAcknowledged', record.receiptsAcknowledged);
  PURSE_STATUS.writeUint(answer, 'unacknowledged', record.unacknowledged);
  return answer;
}

/** S1; `firmware-notes/protocol.md` 7.4. */
export function startLoad(persistent: PersistentState): Uint8Array {
  const { record } = persistent;
  return signLoadRequest(
    {
      cardId: persistent.cardId,
      number: record.loadNumber,
      currency: persistent.currency,
      loaded: BigInt(record.loaded),
      spent: BigInt(record.spent),
      torn: BigInt(record.torn),
      taken: BigInt(record.taken),
      lastLoadId: record.loadId,
      lastAmount: BigInt(record.loadAmount),
      receiptsWritten: record.receiptsWritten,
    },
    persistent.keys.loadOut,
  );
}

/** LOAD CREDIT. @param order S2 or credit limit, 64 octets. @returns S3 or its like, or the status word that refuses it. */
export function loadCredit(persistent: PersistentState, order: Uint8Array): Uint8Array | number {
  const { keys, record } = persistent;
  const setsLimit = order[0] === KIND.creditLimit;
  const kind = setsLimit ? KIND.creditLimit : KIND.loadOrder;
  if (!isSignedMessage(LOAD_ORDER, kind, order, keys.loadIn)) return STATUS.CRYPTO;
  const currency = LOAD_ORDER.readUint(order, 'currency');
  const isOurs = isThisCard(persistent, LOAD_ORDER.view(order, 'cardId')) && currency === persistent.currency;
  if (!isOurs || !LOAD_ORDER.isReservedZero(order)) return STATUS.BAD_FIELD;
  const number = LOAD_ORDER.readUint(order, 'number');
  const amount = LOAD_ORDER.readUint(order, 'amount');
  const loadId = LOAD_ORDER.view(order, 'loadId').slice();
  if (setsLimit && amount + persistent.maximumBalance > Number(MAX_MONEY)) return STATUS.BAD_FIELD;
  const again =
    number === record.loadNumber &&
    amount === record.loadAmount &&
    setsLimit === record.limitLoaded &&
    loadId.every((octet, i) => octet === record.loadId[i]);
  if (!again) {
    if (number !== record.loadNumber + 1) return STATUS.OLD_NUMBER;
    const loaded = record.loaded + amount;
    if (!setsLimit && (loaded - record.spent > persistent.maximumBalance || loaded > MOST_LOADED)) {
      return STATUS.ABOVE_MAXIMUM_BALANCE;
    }
    persistent.changeRecord({
      ...(setsLimit ? { creditLimit: amount } : { loaded }),
      loadNumber: number,
      loadId,
      loadAmount: amount,
      limitLoaded: setsLimit,
    });
  }
  return signLoadProof(order, keys.loadOut);
}

/** GET RECEIPT. @param data a number, or nothing for the oldest not acknowledged. */
export function getReceipt(persistent: PersistentState, data: Uint8Array): Uint8Array | number {
  const { receiptsWritten, receiptsAcknowledged } = persistent.record;
  const number = data.length === 0 ? receiptsAcknowledged + 1 : readUint(data, 0, 4);
  if (number === 0 || number > receiptsWritten || number + RECEIPT_RING <= receiptsWritten) return STATUS.NOT_FOUND;
  return persistent.receipt(number).slice();
}

/** The newest receipt, or nothing if there never was one. */
export function newestReceipt(persistent: PersistentState): Uint8Array {
  const { receiptsWritten } = persistent.record;
  return receiptsWritten === 0 ? new Uint8Array(0) : persistent.receipt(receiptsWritten).slice();
}

/** ACKNOWLEDGE RECEIPTS; `firmware-notes/protocol.md` 7.6. @returns the status word. */
export function acknowledgeReceipts(persistent: PersistentState, message: Uint8Array): number {
  const { keys, record } = persistent;
  if (!isSignedMessage(ACKNOWLEDGEMENT, KIND.acknowledgement, message, keys.acknowledgement)) return STATUS.CRYPTO;
  if (!isThisCard(persistent, ACKNOWLEDGEMENT.view(message, 'cardId'))) return STATUS.BAD_FIELD;
  const upTo = ACKNOWLEDGEMENT.readUint(message, 'upTo');
  if (upTo > record.receiptsWritten) return STATUS.BAD_FIELD;
  if (upTo <= record.receiptsAcknowledged) return STATUS.DONE;
  let unacknowledged = record.unacknowledged;
  for (let number = record.receiptsAcknowledged + 1; number <= upTo; number++) {
    const receipt = persistent.receipt(number);
    unacknowledged -= RECEIPT.readUint(receipt, 'amount') + RECEIPT.readUint(receipt, 'torn');
  }
  persistent.changeRecord({ receiptsAcknowledged: upTo, unacknowledged });
  return STATUS.DONE;
}

function isThisCard(persistent: PersistentState, cardId: Uint8Array): boolean {
  return persistent.cardId.every((octet, index) => octet === cardId[index]);
}
