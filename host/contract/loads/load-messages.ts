import { MAX_CARD_FILE } from '../card-files/card-file.ts';
import { parseJsonObject } from '../json-object.ts';

/** What a card sends that wants to be loaded, JSON. */
export interface LoadQuestion {
  /** The same key claims the same payment: 16 to 64 letters, digits, - and _. */
  readonly key: string;
  /** The load request and the receipts of the card, as `tollcast card request-load` writes them. */
  readonly request: string;
  /** Left out for what was paid at the operator's desk. */
  readonly voucher?: string;
}

/** What it is answered. Amounts in micro-units. */
export interface LoadReply {
  /**
   * `ordered`: the card is to carry out the order. `earlier`: one that was open before comes first, and then the same is
   * asked again. `done`: the card has carried it out before.
   */
  readonly state: 'ordered' | 'earlier' | 'done';
  /** The order, as `tollcast issuer answer-load` writes it; where one is to be carried out. */
  readonly order?: string;
  readonly kind: 'load' | 'credit limit';
  readonly amount: bigint;
  /** Torn credit that is given back with it. */
  readonly refund: bigint;
}

export const LOAD_KEY = /^[\w-]{16,64}$/;
/** Characters of a code as people type it. */
export const MAX_VOUCHER = 60;
const MAX_REPLY = 2 * MAX_CARD_FILE;
const MAX_AMOUNT = 2n ** 48n - 1n;
/** Lines of printable characters. */
const FILE = /^[\n\x20-\x7e]{1,16384}$/;

export function formatLoadReply({ amount, refund, ...rest }: LoadReply): string {
  return JSON.stringify({ ...rest, amount: amount.toString(), refund: refund.toString() });
}

/** @throws FormatError when it is not one of this version. */
export function parseLoadReply(octets: Uint8Array): LoadReply {
  const json = parseJsonObject('answer', octets, MAX_REPLY);
  const reply: LoadReply = {
    state: json.oneOf('state', ['ordered', 'earlier', 'done']),
    ...(json.has('order') && { order: json.pattern('order', FILE, 'a file of a card and its issuer') }),
    kind: json.oneOf('kind', ['load', 'credit limit']),
    amount: json.amount('amount', MAX_AMOUNT),
    refund: json.amount('refund', MAX_AMOUNT),
  };
  json.end();
  return reply;
}
