import { type RawBuilder, sql } from 'kysely';
import { InputError } from '../../../../apdu/errors.ts';
import { toHex } from '../../../../apdu/octets.ts';
import type { HeadendStore } from '../../../store/headend/headend-store.ts';
import { type CardHolding, readHoldings } from './card-holdings.ts';

/** A row of the database: amounts are texts of digits, octets hexadecimal. */
export type DataRow = Readonly<Record<string, string | number | boolean | null>>;

/** Some rows of one part of what is held about a user. */
export interface DataPage {
  readonly part: string;
  readonly rows: readonly DataRow[];
  /** Asks for what comes next; undefined at the end. */
  readonly next: string | undefined;
}

/** Rows of a page. */
const PAGE = 500;

type Query = (user: string, holdings: RawBuilder<unknown>) => RawBuilder<unknown>;

/** Cards of the user, at any time. */
const ofCards = (column: string, holdings: RawBuilder<unknown>) =>
  sql`${sql.ref(column)} in (select value ->> 'cardId' from json_each(${holdings}))`;
/** Cards of the user, as long as it had them. */
const ofTimes = (time: RawBuilder<unknown>, holdings: RawBuilder<unknown>) =>
  sql`exists (select 1 from json_each(${holdings}) where value ->> 'cardId' = card_id
    and value ->> 'since' <= ${time} and ${time} < value ->> 'until')`;

/** All that the database has of a user, part by part; not what opens something: codes, tokens, keys in answers. */
const PARTS: Readonly<Record<string, Query>> = {
  person: (user) => sql`select * from user where name = ${user}`,
  cards: (user) => sql`select card_id, since, until from card_user where user = ${user} order by card_id, since`,
  blockedCards: (_, held) => sql`select * from blocked_card where ${ofCards('card_id', held)}`,
  lostCards: (_, held) =>
    sql`select * from lost_card where ${ofCards('card_id', held)} or ${ofCards('new_card_id', held)} order by card_id`,
  subscriptions: (user) => sql`select * from subscription where user = ${user} order by service, part, since`,
  members: (_, held) => sql`select * from member where ${ofCards('card_id', held)} order by entry_id`,
  requests: (_, held) => sql`select * from request_log where ${ofTimes(sql`at`, held)} order by id`,
  answeredRequests: (_, held) =>
    sql`select log_id, card_id, request_id, time_from from answered_request where ${ofCards('card_id', held)}
      order by log_id`,
  charges: (user) => sql`select * from charging_entry where user = ${user} order by id`,
  bills: (user) => sql`select * from bill where user = ${user} order by entry_id`,
  entries: (user, held) =>
    sql`select e.id, kind, source, at, period, note, line, debit, credit, currency, amount
      from ledger_posting as p join ledger_entry as e on e.id = p.entry_id
      where ${`user:${user}`} in (debit, credit) or exists (select 1 from json_each(${held})
        where ('card:' || (value ->> 'card') in (debit, credit) or 'torn:' || (value ->> 'card') in (debit, credit))
          and value ->> 'since' <= at and at < value ->> 'until')
      order by e.id, line`,
  disputes: (user) =>
    sql`select d.*, ruling, ruled_at, ruled_by, ruling_note, given_by from dispute as d
      left join dispute_ruling on dispute_id = d.id
      where entry_id in (select entry_id from ledger_posting where ${`user:${user}`} in (debit, credit)) order by d.id`,
  receipts: (_, held) =>
    sql`select * from receipt where ${ofTimes(sql`iif(time_to = 0, taken_at, time_to)`, held)} order by card_id, number`,
  suspicions: (_, held) => sql`select * from suspicion where ${ofTimes(sql`at`, held)} order by card_id, kind, number`,
  credits: (_, held) =>
    sql`select id, name, kind, card_id, from_card, amount, currency, made_at, made_by, claimed_at, is_settled
      from credit where ${ofTimes(sql`made_at`, held)} order by id`,
  invoices: (user) => sql`select * from invoice where account = ${`user:${user}`} order by number`,
  // Not of one whose name begins so.
  changes: (user) =>
    sql`select * from change where subject = ${`user ${user}`} or substr(subject, 1, ${user.length + 1}) = ${`${user},`}
      or substr(subject, 1, ${user.length + 6}) in (${`user ${user},`}, ${`user ${user}:`}) order by id`,
};

const NAMES = Object.keys(PARTS);

/**
 * Reads what is held about a user, page after page.
 * @param after what the page before called the next; empty for the first.
 * @throws InputError when it is no such text.
 */
export async function readUserData(store: HeadendStore, user: string, after: string): Promise<DataPage> {
  const [part = NAMES[0]!, from = '0'] = after === '' ? [] : after.split(':');
  const query = Object.hasOwn(PARTS, part) ? PARTS[part] : undefined;
  if (query === undefined || !/^\d{1,12}$/.test(from)) {
    throw new InputError(`"${after.slice(0, 40)}" names no page; begin without it`);
  }
  const holdings = await readHoldings(store, user);
  const { rows } = await sql<Readonly<Record<string, unknown>>>`
    select * from (${query(user, writeHoldings(holdings))}) limit ${PAGE} offset ${Number(from)}`.execute(store);
  const following = NAMES[NAMES.indexOf(part) + 1];
  const isLast = rows.length < PAGE;
  return {
    part,
    rows: rows.map(writeRow),
    next: isLast ? following && `${following}:0` : `${part}:${Number(from) + PAGE}`,
  };
}

function writeHoldings(holdings: readonly CardHolding[]): RawBuilder<unknown> {
  return sql`${JSON.stringify(holdings)}`;
}

function writeRow(row: Readonly<Record<string, unknown>>): DataRow {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, writeValue(value)]));
}

function writeValue(value: unknown): string | number | boolean | null {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return toHex(value);
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  return null;
}
