import { RECEIPT_RING } from '../../apdu/decode-module/money/receipt.ts';

/** What a card needs before it goes on: credit, collected receipts, or a higher spend limit (or the next day). */
export const LACKS = ['NO_CREDIT', 'RECEIPTS_DUE', 'SPEND_LIMIT'] as const;

export type Lack = (typeof LACKS)[number];

/** What a holder or an issuer changes so that a card goes on. */
export interface Means {
  readonly loadNumber: number;
  readonly receiptsDue: number;
  /** Micro-units a day of media time. */
  readonly spendLimit: bigint;
}

/** Receipts from which on the holder is told of them. */
const RECEIPTS_SOON = 24;

export const LACK_MESSAGES: Readonly<Record<Lack, string>> = {
  NO_CREDIT: 'not enough credit for the next group',
  RECEIPTS_DUE:
    'the card has as many receipts as it may hold before the issuer has them; type: tollcast issuer collect',
  SPEND_LIMIT: 'the spend limit of this day is reached; type: tollcast card spend-limit AMOUNT',
};

/** Whether what the card lacked is there now. */
export function helped(lack: Lack, before: Means, after: Means): boolean {
  switch (lack) {
    case 'NO_CREDIT':
      return after.loadNumber !== before.loadNumber;
    case 'RECEIPTS_DUE':
      return after.receiptsDue < before.receiptsDue;
    case 'SPEND_LIMIT':
      return after.spendLimit > before.spendLimit;
  }
}

/** What to tell a holder before the card stops for its receipts. */
export function receiptsSoon(due: number): string | undefined {
  if (due < RECEIPTS_SOON || due >= RECEIPT_RING) return undefined;
  return `the card holds ${due} receipts that its issuer does not have, and starts nothing new at ${RECEIPT_RING}; type soon: tollcast issuer collect`;
}
