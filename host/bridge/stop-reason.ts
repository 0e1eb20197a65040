import type { ModuleError } from '../../apdu/decode-module/module-status.ts';
import { RECEIPT_RING } from '../../apdu/decode-module/money/receipt.ts';

/** What a card needs before it goes on: credit, collected receipts, or a higher spend limit (or the next day). */
const STOP_REASONS = ['NO_CREDIT', 'RECEIPTS_DUE', 'SPEND_LIMIT'] as const;

export type StopReason = (typeof STOP_REASONS)[number];

/** @returns undefined when the card has something else against the group. */
export function stopReasonOf({ code }: ModuleError): StopReason | undefined {
  return STOP_REASONS.find((reason) => reason === code);
}

/** What a holder or an issuer changes so that a card goes on. */
export interface Resources {
  readonly loadNumber: number;
  readonly receiptsDue: number;
  /** Micro-units a day of media time. */
  readonly spendLimit: bigint;
}

/** Receipts from which on the holder is told of them. */
const RECEIPTS_SOON = 24;

export const STOP_MESSAGES: Readonly<Record<StopReason, string>> = {
  NO_CREDIT: 'not enough credit for the next group',
  RECEIPTS_DUE:
    'the card has as many receipts as it may hold before the issuer has them; type: tollcast issuer collect',
  SPEND_LIMIT: 'the spend limit of this day is reached; type: tollcast card spend-limit AMOUNT',
};

/** Whether what the card lacked is there now. */
export function isResolved(reason: StopReason, before: Resources, after: Resources): boolean {
  switch (reason) {
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
