import { FormatError } from '../../errors.ts';
import { readUint, writeUint } from '../../octets.ts';
import type { AesCbc } from '../keys/aes-cbc.ts';
import { KIND } from '../kinds.ts';
import { readAmount, requireMessage, requireSigned, signMessage, writeAmount } from '../requests/signed-message.ts';

/** What a card says one session came to; `firmware-notes/protocol.md` 7.5. Amounts in micro-units. */
export interface Receipt {
  /** 8 octets. */
  readonly cardId: Uint8Array;
  /** 1, 2, 3 ... without gaps for each card. */
  readonly number: number;
  readonly service: number;
  readonly session: number;
  readonly firstSegment: number;
  readonly lastSegment: number;
  /** RTP payload of the groups opened, u48. */
  readonly octets: number;
  /** ms, u48. */
  readonly duration: number;
  readonly groups: number;
  /** Media time of the first and the newest group, seconds since 1970. */
  readonly from: number;
  readonly to: number;
  readonly amount: bigint;
  /** Taken and not used when the power went; 0 when the session was closed. */
  readonly torn: bigint;
  /** The purse's counters with this session in them. */
  readonly loaded: bigint;
  readonly spent: bigint;
  /** ISO 4217 number. */
  readonly currency: number;
  readonly reason: 'closed' | 'torn';
}

export const RECEIPT_LENGTH = 112;
/** Receipts that a card keeps. */
export const RECEIPT_RING = 32;

const REASONS = { closed: 1, torn: 2 } as const;

/** @param mac of the receipt key. */
export function signReceipt(receipt: Receipt, mac: AesCbc): Uint8Array {
  const octets = new Uint8Array(RECEIPT_LENGTH);
  octets.set(receipt.cardId, 4);
  writeUint(octets, 12, 4, receipt.number);
  writeUint(octets, 16, 4, receipt.service);
  writeUint(octets, 20, 4, receipt.session);
  writeUint(octets, 24, 4, receipt.firstSegment);
  writeUint(octets, 28, 4, receipt.lastSegment);
  writeUint(octets, 32, 6, receipt.octets);
  writeUint(octets, 38, 6, receipt.duration);
  writeUint(octets, 44, 4, receipt.groups);
  writeUint(octets, 48, 4, receipt.from);
  writeUint(octets, 52, 4, receipt.to);
  writeAmount(octets, 56, receipt.amount, 'amount');
  writeAmount(octets, 62, receipt.torn, 'torn');
  writeAmount(octets, 68, receipt.loaded, 'loaded');
  writeAmount(octets, 74, receipt.spent, 'spent');
  writeUint(octets, 80, 2, receipt.currency);
  octets[82] = REASONS[receipt.reason];
  return signMessage(octets, KIND.receipt, mac);
}

/**
 * Reads a receipt without asking who made it.
 * @throws FormatError when it is none.
 */
export function parseReceipt(octets: Uint8Array): Receipt {
  requireMessage(octets, KIND.receipt, RECEIPT_LENGTH, 'receipt');
  const reason = octets[82] === REASONS.closed ? 'closed' : octets[82] === REASONS.torn ? 'torn' : undefined;
  if (reason === undefined) throw new FormatError(`receipt with reason ${octets[82]}; a newer tollcast may know it`);
  return {
    cardId: octets.slice(4, 12),
    number: readUint(octets, 12, 4),
    service: readUint(octets, 16, 4),
    session: readUint(octets, 20, 4),
    firstSegment: readUint(octets, 24, 4),
    lastSegment: readUint(octets, 28, 4),
    octets: readUint(octets, 32, 6),
    duration: readUint(octets, 38, 6),
    groups: readUint(octets, 44, 4),
    from: readUint(octets, 48, 4),
    to: readUint(octets, 52, 4),
    amount: readAmount(octets, 56),
    torn: readAmount(octets, 62),
    loaded: readAmount(octets, 68),
    spent: readAmount(octets, 74),
    currency: readUint(octets, 80, 2),
    reason,
  };
}

/**
 * Reads a receipt of a card whose key is known.
 * @param receiptKey of the card, 16 octets.
 * @throws FormatError when it is none, ForgedError when its tag is wrong.
 */
export function openReceipt(octets: Uint8Array, receiptKey: Uint8Array): Receipt {
  requireSigned(octets, KIND.receipt, RECEIPT_LENGTH, receiptKey, 'receipt');
  return parseReceipt(octets);
}
