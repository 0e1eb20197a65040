import { sql } from 'kysely';
import type { HeadendStore } from '../../../store/headend/headend-store.ts';
import type { DisputeRulingTable, DisputeTable } from '../../../store/headend/tables/dispute-tables.ts';

/** Where a dispute stands. */
export type DisputeState = 'open' | 'upheld' | 'rejected';

/** Somebody disputes an entry of the ledger, and what became of that. */
export interface Dispute extends Omit<DisputeTable, 'id'> {
  readonly id: number;
  readonly state: DisputeState;
  /** Undefined while it is open. */
  readonly ruling: Omit<DisputeRulingTable, 'disputeId' | 'ruling'> | undefined;
}

/** Which disputes; all of them where nothing is named. */
export interface DisputeQuery {
  readonly id?: number;
  /** Entry that is disputed. */
  readonly entry?: number;
  /** Entry that gives it back. */
  readonly givenBy?: number;
  readonly state?: DisputeState;
  /** Ids above this one. */
  readonly after?: number;
  readonly limit?: number;
}

/** @returns disputes in the order in which they were opened. */
export async function readDisputes(store: HeadendStore, query: DisputeQuery): Promise<Dispute[]> {
  const { id, entry, givenBy, state, after, limit } = query;
  let wanted = store
    .selectFrom('dispute')
    .leftJoin('disputeRuling', 'disputeId', 'id')
    .select(['id', 'entryId', 'openedAt', 'openedBy', 'reason'])
    .select(['ruling', 'ruledAt', 'ruledBy', 'rulingNote', 'givenBy'])
    .orderBy('id');
  if (id !== undefined) wanted = wanted.where('id', '=', id);
  if (entry !== undefined) wanted = wanted.where('entryId', '=', entry);
  if (givenBy !== undefined) wanted = wanted.where('givenBy', '=', givenBy);
  if (state === 'open') wanted = wanted.where('ruling', 'is', null);
  else if (state !== undefined) wanted = wanted.where('ruling', '=', state);
  if (after !== undefined) wanted = wanted.where('id', '>', after);
  if (limit !== undefined) wanted = wanted.limit(limit);
  return (await wanted.execute()).map(({ ruling, ruledAt, ruledBy, rulingNote, givenBy: by, ...dispute }) => ({
    ...dispute,
    state: ruling ?? 'open',
    ruling:
      ruledAt === null || ruledBy === null || rulingNote === null
        ? undefined
        : { ruledAt, ruledBy, rulingNote, givenBy: by },
  }));
}

/** How the last dispute of each entry stands; entries that nobody disputes are left out. */
export async function readDisputeStates(
  store: HeadendStore,
  entries: readonly number[],
): Promise<ReadonlyMap<number, DisputeState>> {
  if (entries.length === 0) return new Map();
  const rows = await store
    .selectFrom('dispute')
    .leftJoin('disputeRuling', 'disputeId', 'id')
    .select(['entryId', 'ruling'])
    .where('entryId', 'in', sql<number>`(select value from json_each(${JSON.stringify(entries)}))`)
    .orderBy('id')
    .execute();
  return new Map(rows.map(({ entryId, ruling }) => [entryId, ruling ?? 'open']));
}
