import type { Receipt } from '../../../apdu/decode-module/money/receipt.ts';
import type { StoreChange } from '../../store/group-writer.ts';

const KEEP = `insert into receipt
  (card_id, number, service, first_segment, last_segment, octets, duration, groups, time_from, time_to, amount, torn,
  loaded, spent, currency, is_torn, taken_at, message) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const SUSPECT = `insert or ignore into suspicion (card_id, kind, number, at, reason, message)
  values (?, ?, ?, ?, ?, ?)`;

/**
 * Keeps a receipt. A second one of its number fails.
 * @param cardId in hexadecimal.
 * @param now seconds since 1970.
 * @param octets the whole receipt.
 */
export function receiptChange(cardId: string, receipt: Receipt, now: number, octets: Uint8Array): StoreChange {
  const { number, service, firstSegment, lastSegment, duration, groups, from, to, amount, torn } = receipt;
  const { loaded, spent, currency, reason } = receipt;
  const used = [BigInt(receipt.octets), BigInt(duration), groups, from, to];
  const money = [amount, torn, loaded, spent, currency, reason === 'torn' ? 1 : 0];
  return {
    sql: KEEP,
    values: [cardId, number, service, firstSegment, lastSegment, ...used, ...money, now, octets.slice()],
  };
}

/** What somebody has to look into; of each kind one for a card and a receipt. */
export interface Suspicion {
  readonly cardId: string;
  readonly kind: 'missing receipts' | 'runs backwards';
  readonly number: number;
  readonly reason: string;
  readonly message: Uint8Array | null;
}

export function suspicionChange({ cardId, kind, number, reason, message }: Suspicion, now: number): StoreChange {
  return { sql: SUSPECT, values: [cardId, kind, number, now, reason, message] };
}
