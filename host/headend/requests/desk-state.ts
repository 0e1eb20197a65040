import type { GroupWriter } from '../../store/group-writer.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import type { ChargingMode } from '../charging/billing-port.ts';
import { entryOfRow } from '../charging/charging-rows.ts';
import { EntryBook } from '../charging/entry-book.ts';
import { MemberBook } from '../membership/member-book.ts';
import { AnsweredRequests } from './answered-requests.ts';
import { CardNumbers, type NumberSource } from './card-numbers.ts';
import { memberOfRow } from './request-rows.ts';

/** All that the desk knows; what is on disk, and what is on its way there. */
export interface DeskState {
  readonly members: MemberBook;
  readonly entries: EntryBook;
  readonly numbers: CardNumbers;
  readonly answered: AnsweredRequests;
  readonly blocked: Set<string>;
  /** Users by card; a card that is not here is its own user. */
  readonly users: Map<string, string>;
  /** Of the last row of the log. */
  lastLogId: number;
}

/**
 * Reads what is on disk.
 * @param shared where others number grants of the same cards.
 * @param now seconds since 1970; members that are to be heard of get their time anew, as nobody listened meanwhile.
 */
export async function readDeskState(
  store: HeadendStore,
  mode: ChargingMode,
  now: number,
  shared?: NumberSource,
): Promise<DeskState> {
  const members = new MemberBook();
  const numbers: [cardId: string, number: number][] = [];
  for (const row of await store.selectFrom('member').selectAll().execute()) {
    const member = memberOfRow(row);
    const { cardId, number, aliveUntil, keepAlive } = member;
    numbers.push([cardId, number]);
    const isHeardOf = aliveUntil === undefined || keepAlive === undefined;
    members.put(isHeardOf ? member : { ...member, aliveUntil: Math.max(aliveUntil, now + keepAlive) });
  }
  const answered = new AnsweredRequests();
  for (const row of await store.selectFrom('answeredRequest').selectAll().execute()) {
    const { cardId, requestId, logId, tag, timeFrom } = row;
    answered.remember(cardId, requestId, { logId, tag, from: timeFrom });
  }
  const entries = (await store.selectFrom('chargingEntry').selectAll().execute()).map(entryOfRow);
  for (const { cardId, lastNumber } of await store.selectFrom('cardNumber').selectAll().execute()) {
    numbers.push([cardId, lastNumber]);
  }
  const blocked = await store.selectFrom('blockedCard').select('cardId').execute();
  const users = await store.selectFrom('cardUser').selectAll().where('until', 'is', null).execute();
  const last = await store.selectFrom('requestLog').select('id').orderBy('id', 'desc').limit(1).executeTakeFirst();
  return {
    members,
    entries: new EntryBook(mode, entries),
    numbers: new CardNumbers(numbers, shared),
    answered,
    blocked: new Set(blocked.map(({ cardId }) => cardId)),
    users: new Map(users.map(({ cardId, user }) => [cardId, user])),
    lastLogId: last?.id ?? 0,
  };
}

/** Where the desk keeps what it knows. */
export interface DeskStore {
  /** For reading. */
  readonly store: HeadendStore;
  /** For writing, in the order of the desk's decisions. */
  readonly writer: GroupWriter;
}
