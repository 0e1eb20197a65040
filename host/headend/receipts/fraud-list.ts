import { RECEIPT } from '../../../apdu/layout/money.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import type { Difference, ReconciledSpan, Reconciliation } from './reconciler.ts';

/** Somebody to look into. */
export interface Suspect {
  /** 8 octets in hexadecimal. */
  readonly cardId: string;
  readonly kind: 'missing receipts' | 'runs backwards' | 'more than was sent' | 'impossible';
  /** Of the receipt. */
  readonly number: number;
  readonly service: number | undefined;
  /** Seconds since 1970: when it showed, or of the receipt. */
  readonly at: number;
  readonly why: string;
}

/** What no honest card shows; other differences may be the head-end's own fault. */
const FRAUDS = ['more than was sent', 'impossible'] as const;

/**
 * Lists what looks like fraud: what cards delivered that contradicts itself, as it showed, and what the sender's
 * journal denies.
 * @param span when it showed, of which service and card.
 * @param reconciled of the same span.
 */
export async function listFraud(
  store: HeadendStore,
  { from, to, service: wanted, cardId: ofCard }: ReconciledSpan,
  { differences }: Pick<Reconciliation, 'differences'>,
): Promise<Suspect[]> {
  const rows = await store
    .selectFrom('suspicion')
    .select(['cardId', 'kind', 'number', 'at', 'reason', 'message'])
    .where('at', '>=', from)
    .where('at', '<=', to)
    .$if(ofCard !== undefined, (query) => query.where('cardId', '=', ofCard!))
    .orderBy('at')
    .execute();
  const resolved = await Promise.all(rows.map((row) => hasArrived(store, row)));
  const shown = rows.flatMap(({ cardId, kind, number, at, reason, message }, i): Suspect[] => {
    if (kind !== 'runs backwards' && kind !== 'missing receipts') return [];
    if (kind === 'missing receipts' && resolved[i] === true) return [];
    const service = message === null ? undefined : RECEIPT.decode(message).service;
    if (wanted !== undefined && service !== wanted) return [];
    return [{ cardId, kind, number, service, at, why: reason }];
  });
  const denied = differences.flatMap((difference) => toSuspect(difference));
  return [...shown, ...denied].toSorted((a, b) => a.at - b.at);
}

/** Whether the receipt that came too early is here by now, and so are those before it. */
async function hasArrived(
  store: HeadendStore,
  { cardId, number }: { readonly cardId: string; readonly number: number },
): Promise<boolean> {
  const row = await store
    .selectFrom('receipt')
    .select('number')
    .where('cardId', '=', cardId)
    .where('number', '=', number)
    .executeTakeFirst();
  return row !== undefined;
}

function toSuspect({ cardId, kind, number = 0, service, to, why }: Difference): Suspect[] {
  const fraud = FRAUDS.find((name) => name === kind);
  return fraud === undefined ? [] : [{ cardId, kind: fraud, number, service, at: to, why }];
}
