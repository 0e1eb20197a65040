import { MOST_MONEY } from '../../../apdu/decode-module/keys/ceilings.ts';
import { ACKNOWLEDGEMENT_LENGTH } from '../../../apdu/decode-module/money/acknowledgement.ts';
import { LOAD_ORDER_LENGTH, signLoadProof, signLoadRequest } from '../../../apdu/decode-module/money/credit-load.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { PURSE_STATUS_LENGTH } from '../../../apdu/decode-module/money/purse-status.ts';
import { RECEIPT_RING } from '../../../apdu/decode-module/money/receipt.ts';
import { isSignedMessage } from '../../../apdu/decode-module/requests/signed-message.ts';
import { readUint, writeUint } from '../../../apdu/octets.ts';
import type { PersistentState } from '../memory/persistent-state.ts';
import { NO_TICKS, writeTicks } from './ticks.ts';
import type { TransientState } from '../memory/transient-state.ts';

/** So that a credit limit on top of it still fits in u48. */
const MOST_LOADED = 2 ** 48 - 2 ** 39;

/** The answer to GET PURSE; `firmware-notes/protocol.md` 7.2. */
export function purseStatus(persistent: PersistentState, transient: TransientState): Uint8Array {
  const { record } = persistent;
  const { session } = transient;
  const answer = new Uint8Array(PURSE_STATUS_LENGTH);
  writeUint(answer, 0, 4, record.sequence);
  writeUint(answer, 4, 6, record.loaded);
  writeUint(answer, 10, 6, record.spent);
  writeUint(answer, 16, 6, record.torn);
  writeUint(answer, 22, 6, persistent.maximumBalance);
  writeUint(answer, 28, 2, persistent.currency);
  writeUint(answer, 30, 4, record.loadNumber);
  writeUint(answer, 34, 4, record.session);
  writeUint(answer, 38, 4, session?.service ?? 0);
  writeUint(answer, 42, 6, record.taken);
  writeTicks(answer, 48, session?.used ?? NO_TICKS);
  writeUint(answer, 56, 4, record.receiptsWritten);
  writeUint(answer, 60, 4, record.receiptsAcknowledged);
  writeUint(answer, 64, 6, record.unacknowledged);
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
  if (!isSignedMessage(order, kind, LOAD_ORDER_LENGTH, keys.loadIn)) return STATUS.CRYPTO;
  const reservedZero = readUint(order, 18, 2) === 0 && order.subarray(34, 48).every((octet) => octet === 0);
  const currency = readUint(order, 16, 2);
  if (!isThisCard(persistent, order) || currency !== persistent.currency || !reservedZero) return STATUS.BAD_FIELD;
  const number = readUint(order, 12, 4);
  const amount = readUint(order, 20, 6);
  const loadId = order.slice(26, 34);
  if (setsLimit && amount + persistent.maximumBalance > Number(MOST_MONEY)) return STATUS.BAD_FIELD;
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
  if (!isSignedMessage(message, KIND.acknowledgement, ACKNOWLEDGEMENT_LENGTH, keys.acknowledgement)) {
    return STATUS.CRYPTO;
  }
  if (!isThisCard(persistent, message)) return STATUS.BAD_FIELD;
  const upTo = readUint(message, 12, 4);
  if (upTo > record.receiptsWritten) return STATUS.BAD_FIELD;
  if (upTo <= record.receiptsAcknowledged) return STATUS.DONE;
  let unacknowledged = record.unacknowledged;
  for (let number = record.receiptsAcknowledged + 1; number <= upTo; number++) {
    const receipt = persistent.receipt(number);
    unacknowledged -= readUint(receipt, 56, 6) + readUint(receipt, 62, 6);
  }
  persistent.changeRecord({ receiptsAcknowledged: upTo, unacknowledged });
  return STATUS.DONE;
}

/** Card id at octets 4..11 of a load order or acknowledgement. */
function isThisCard(persistent: PersistentState, message: Uint8Array): boolean {
  return persistent.cardId.every((octet, index) => octet === message[4 + index]);
}
