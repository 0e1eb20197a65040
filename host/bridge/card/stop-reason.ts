import type { ModuleError } from '../../../apdu/decode-module/module-status.ts';
import { RECEIPT_RING } from '../../../apdu/decode-module/money/receipt.ts';
import type { EndCode } from '../run-end.ts';

const STOP_REASONS = ['NO_CREDIT', 'RECEIPTS_DUE', 'SPEND_LIMIT'] as const satisfies readonly EndCode[];

/**
 * Why a card opens nothing more although nothing is wrong with the group: it needs credit, its receipts have to be
 * collected, or its spend limit has to be raised (or a new day to begin).
 */
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
  /** The day of media time that the card is at, since 1970. */
  readonly day: number;
}

/** Whether what stopped the card has been changed since then. */
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

/** Number of receipts on the card from which on its holder is warned. */
const MANY_RECEIPTS = 24;

/** The warning before a card stops for its receipts; undefined while there are few, or when it has stopped. */
export function warnOfReceipts(due: number): string | undefined {
  if (due < MANY_RECEIPTS || due >= RECEIPT_RING) return undefined;
  return `the card holds ${due} receipts that its issuer does not have, and starts nothing new at ${RECEIPT_RING}; type soon: tollcast issuer collect`;
}
