import type { Receipt } from '../../apdu/decode-module/money/receipt.ts';

/** Everything that ends a run, with what the user is told then. */
export const END_MESSAGES = {
  BYE: 'the sender ended the stream',
  STOPPED: 'stopped',
  PRICE_NOT_ACCEPTED: 'the price was not accepted, so nothing was paid at it',
  NO_CREDIT: 'not enough credit for the next group',
  RECEIPTS_DUE:
    'the card has as many receipts as it may hold before the issuer has them; type: tollcast issuer collect',
  SPEND_LIMIT: 'the spend limit of this day is reached; type: tollcast card spend-limit AMOUNT',
  PIN_NEEDED: 'this card opens nothing without its PIN; start again with --pin',
  CARD_FAULT: 'the card fails at group after group; take it out and insert it again, or have it replaced',
} as const;

/** Why a run ended. */
export type EndCode = keyof typeof END_MESSAGES;

/** How a run ended. */
export interface BridgeEnd {
  readonly code: EndCode;
  readonly message: string;
  /** As the card signed it. Undefined when the card was not there at the end or did not answer: it settles when it
   * is opened again. */
  readonly bill: Bill | undefined;
}

/** What a run came to, as the card signed it. Amounts in micro-units. */
export interface Bill {
  /** One for each time that the card was there during the run. */
  readonly receipts: readonly Receipt[];
  readonly amount: bigint;
  /** Taken and not used when the card was pulled out; the issuer gives it back at the next load. */
  readonly torn: bigint;
  readonly balance: bigint;
  /** ISO 4217 number. */
  readonly currency: number;
}
