import type { StoreChange } from '../../store/group-writer.ts';
import type { MemberTable, RequestLogTable } from '../../store/headend/tables/request-tables.ts';
import type { Member } from '../membership/member.ts';
import { REMEMBERED } from './answered-requests.ts';

const LOG = `insert into request_log
  (id, at, card_id, kind, service, session, segment_id, time_from, time_to, request_id, outcome)
  values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const REMEMBER = `insert into answered_request (log_id, card_id, request_id, tag, time_from, reply)
  values (?, ?, ?, ?, ?, ?)`;
const FORGET = 'delete from answered_request where time_from < ?';
const KEEP_NUMBER = `insert into card_number (card_id, last_number) values (?, ?)
  on conflict (card_id) do update set last_number = max(last_number, excluded.last_number)`;
const KEEP_MEMBER = `insert or replace into member
  (entry_id, card_id, session, service, session_hash, state, time_from, time_to, number, is_confirmed, confirm_by,
  keep_alive, alive_until) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const DELETE_MEMBER = 'delete from member where entry_id = ?';
const BLOCK = 'insert or ignore into blocked_card (card_id, at) values (?, ?)';
const UNBLOCK = 'delete from blocked_card where card_id = ?';

const PART = 'update card_user set until = ? where card_id = ? and until is null';
const JOIN = `insert into card_user (card_id, since, until, user) values (?, ?, null, ?)
  on conflict (card_id, since) do update set user = excluded.user, until = null`;
const KEEP_USER = 'insert into user (name, added_at) values (?, ?) on conflict (name) do nothing';

export function logChange(row: RequestLogTable): StoreChange {
  const { id, at, cardId, kind, service, session, segmentId, timeFrom, timeTo, requestId, outcome } = row;
  return {
    sql: LOG,
    values: [id, at, cardId, kind, service, session, segmentId, timeFrom, timeTo, requestId, outcome],
  };
}

export function rememberChange(
  { id, cardId, requestId, timeFrom }: RequestLogTable,
  tag: string,
  reply: string,
): StoreChange {
  return { sql: REMEMBER, values: [id, cardId, requestId, tag, timeFrom, reply] };
}

/** @param now seconds since 1970. */
export function forgetChange(now: number): StoreChange {
  return { sql: FORGET, values: [now - REMEMBERED] };
}

export function numberChange(cardId: string, last: number): StoreChange {
  return { sql: KEEP_NUMBER, values: [cardId, last] };
}

export function memberChange(member: Member): StoreChange {
  const { entryId, cardId, session, service, sessionHash, state, from, to, number, isConfirmed } = member;
  const { confirmBy = null, keepAlive = null, aliveUntil = null } = member;
  const times = [confirmBy, keepAlive, aliveUntil];
  return {
    sql: KEEP_MEMBER,
    values: [entryId, cardId, session, service, sessionHash, state, from, to, number, isConfirmed ? 1 : 0, ...times],
  };
}

export function deleteMemberChange({ entryId }: Member): StoreChange {
  return { sql: DELETE_MEMBER, values: [entryId] };
}

export function blockChange(cardId: string, now: number): StoreChange {
  return { sql: BLOCK, values: [cardId, now] };
}

export function unblockChange(cardId: string): StoreChange {
  return { sql: UNBLOCK, values: [cardId] };
}

/** Has a card be of a user from now on. @param user undefined for a card that is its own user. */
export function userChanges(cardId: string, user: string | undefined, now: number): readonly StoreChange[] {
  const part = { sql: PART, values: [now, cardId] };
  if (user === undefined) return [part];
  return [part, { sql: KEEP_USER, values: [user, now] }, { sql: JOIN, values: [cardId, now, user] }];
}

export function memberOfRow(row: MemberTable): Member {
  const { timeFrom, timeTo, state, confirmBy, keepAlive, aliveUntil, ...rest } = row;
  if (state !== 'asked' && state !== 'joined' && state !== 'leaving') throw new Error(`no member is "${state}"`);
  return {
    ...rest,
    state,
    from: timeFrom,
    to: timeTo,
    ...(confirmBy !== null && { confirmBy }),
    ...(keepAlive !== null && { keepAlive }),
    ...(aliveUntil !== null && { aliveUntil }),
  };
}
