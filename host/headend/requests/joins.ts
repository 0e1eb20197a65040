import type { Charge, Outcome } from '../../contract/answers/answer.ts';
import type { ProblemCode } from '../../contract/answers/problem.ts';
import { deadlineOf } from '../../contract/requests/requested-time.ts';
import type { StoreChange } from '../../store/group-writer.ts';
import type { SessionMeter } from '../charging/billing-port.ts';
import { countsOctets, isSameCharges } from '../charging/charge-terms.ts';
import type { EntryBook } from '../charging/entry-book.ts';
import type { MemberBook } from '../membership/member-book.ts';
import type { MemberEvent } from '../membership/member-states.ts';
import { advance, type Member, refresh, unconfirmedOf } from '../membership/member.ts';
import type { SoldSession } from '../membership/sold-session.ts';
import type { CardNumbers } from './card-numbers.ts';
import { deleteMemberChange, memberChange, numberChange } from './request-rows.ts';
import type { EndedMember, EndReason, GrantedKeys, GrantedSegment, SessionKeys } from './session-keys.ts';

/** A request that is to be answered, with all that was found out about it. */
export interface Asked {
  /** 8 octets in hexadecimal, and as they are. */
  readonly cardId: string;
  readonly cardOctets: Uint8Array;
  readonly user: string;
  readonly sold: SoldSession;
  readonly from: number;
  readonly to?: number;
  /** Seconds since 1970. */
  readonly now: number;
  /** Of the log row; a join's entry is called the same. */
  readonly logId: number;
}

/** What a request has changed; it holds once the changes are on disk. */
export interface Applied {
  readonly outcome: Outcome;
  /** Whose request it was, and what was agreed. */
  readonly member: Pick<Member, 'entryId' | 'cardId' | 'session' | 'service' | 'from' | 'to'>;
  readonly changes: readonly StoreChange[];
  readonly messages: readonly Uint8Array[];
  /** Segments whose keys are among the messages, for the log. */
  readonly segments?: readonly GrantedSegment[];
  /** Whether the rows of these segments are what is billed: there is no entry. */
  readonly isSold?: boolean;
  readonly keysUntil?: number;
  readonly charge?: Charge;
  /** Told to the key manager afterwards. */
  readonly ended?: EndedMember;
  /** Grants to the same card in other sessions, for the log. */
  readonly reissued?: readonly ReissuedGrant[];
  /** Whether the list has one more or one less now. */
  readonly hasListChanged?: boolean;
}

/** What a card was granted anew, as it had not confirmed it. */
export interface ReissuedGrant {
  readonly member: Member;
  readonly segments: readonly GrantedSegment[];
}

/** What a grant changes of its member. */
type GrantedNumbers = Pick<Member, 'number' | 'isConfirmed' | 'unconfirmed'>;

/** Why a request changes nothing. */
export interface Refusal {
  readonly problem: ProblemCode;
  readonly particulars?: string;
}

/**
 * Numbers of a card that it may leave without a confirm, before a grant takes two more at most: its window has 32
 * (protocol 4.4 step 4).
 */
const MAX_UNCONFIRMED = 30;

const NOT_JOINED: Refusal = { problem: 'not-joined' };
const REASONS: Partial<Record<MemberEvent, EndReason>> = {
  'confirm time-out': 'unconfirmed',
  silence: 'silent',
  evict: 'evicted',
};

/** What requests, timers and operators do to the list of requesters and to the charging entries. */
export class Joins {
  readonly #members: MemberBook;
  readonly #entries: EntryBook;
  readonly #numbers: CardNumbers;
  readonly #keys: SessionKeys;
  readonly #meter: SessionMeter | undefined;

  constructor(
    state: { readonly members: MemberBook; readonly entries: EntryBook; readonly numbers: CardNumbers },
    ports: { readonly keys: SessionKeys; readonly meter?: SessionMeter | undefined },
  ) {
    this.#members = state.members;
    this.#entries = state.entries;
    this.#numbers = state.numbers;
    this.#keys = ports.keys;
    this.#meter = ports.meter;
  }

  join(asked: Asked): Applied | Refusal {
    const { cardId, user, sold, from, to = from, now, logId } = asked;
    if (!isOpen(sold, now)) return { problem: 'unknown-offer', particulars: 'the offer has ended' };
    if (to <= now) return { problem: 'too-late', particulars: `the end asked for is over at ${now}` };
    const present = this.#members.find(cardId, sold.session);
    if (present !== undefined) return to > present.to ? this.extend(asked) : this.#sendKey(asked, present, 'join');
    const granted = this.#grant(asked, { from, to });
    if ('problem' in granted) return granted;
    const { session, service, sessionHash, confirmTimeout, keepAlive, charges } = sold;
    const member = refresh(
      {
        entryId: logId,
        cardId,
        session,
        service,
        sessionHash,
        state: 'asked',
        from,
        to,
        ...granted.numbers,
        confirmBy: Math.max(now, from) + confirmTimeout,
        ...(keepAlive !== undefined && { keepAlive }),
      },
      now,
    );
    const changes = [this.#entries.open({ id: logId, user, session, service, charges, from, to })];
    if (from <= now) changes.push(...this.start(member));
    return this.#keep(member, { ...granted, outcome: 'joined', changes: [...granted.changes, ...changes] }, now, true);
  }

  extend(asked: Asked): Applied | Refusal {
    const { cardId, sold, from, to = from, now } = asked;
    const member = this.#members.find(cardId, sold.session);
    if (member === undefined) return NOT_JOINED;
    if (!isOpen(sold, now)) return { problem: 'unknown-offer', particulars: 'the offer has ended' };
    if (from > member.to || to <= member.to) {
      return { problem: 'not-later', particulars: `the agreed end is ${member.to}` };
    }
    if (!isSameCharges(this.#entries.find(member.entryId)!.charges, sold.charges)) {
      return { problem: 'unknown-offer', particulars: `the join until ${member.to} is at another price` };
    }
    if (isPastDeadline(sold, member.to, now)) return { problem: 'too-late', particulars: 'the deadline is over' };
    const granted = this.#grant(asked, { from: member.from, to });
    if ('problem' in granted) return granted;
    const changes = [...granted.changes, this.#entries.extend(member.entryId, to)];
    const isFirst = member.state === 'leaving';
    const extended: Member = {
      ...advance(member, 'extend')!,
      to,
      ...granted.numbers,
      sessionHash: sold.sessionHash,
      ...(isFirst && { confirmBy: now + sold.confirmTimeout }),
    };
    return this.#keep(extended, { ...granted, outcome: 'extended', changes }, now);
  }

  leave({ cardId, sold, from, to = from, now }: Asked): Applied | Refusal {
    const member = this.#members.find(cardId, sold.session);
    if (member === undefined) return NOT_JOINED;
    let end = Math.max(to, now);
    if (sold.slots !== undefined && isPastDeadline(sold, end, now)) end += sold.slots.length;
    return this.#end(member, end, now, false);
  }

  keyRequest(asked: Asked): Applied | Refusal {
    const member = this.#members.find(asked.cardId, asked.sold.session);
    return member === undefined ? NOT_JOINED : this.#sendKey(asked, member, 'key request');
  }

  stay({ cardId, sold, now }: Asked): Applied | Refusal {
    const member = this.#members.find(cardId, sold.session);
    if (member === undefined) return NOT_JOINED;
    const staying = refresh(advance(member, 'stay')!, now);
    this.#members.put(staying);
    // A keep-alive is not worth a write: after a restart every member is given its time anew.
    return { outcome: 'stayed', member: staying, changes: [], messages: [] };
  }

  /** A card has its key. A confirm of a grant that another has replaced changes nothing. */
  confirm(cardId: string, number: number, service: number, now: number): Applied | Refusal {
    const joined = this.#members.ofCard(cardId).filter((member) => member.service === service);
    const member = joined.find((known) => known.number === number || unconfirmedOf(known).includes(number));
    const [other] = joined;
    if (member === undefined) {
      if (other === undefined) return NOT_JOINED;
      return { outcome: 'confirmed', member: other, changes: [], messages: [] };
    }
    const unconfirmed = unconfirmedOf(member).filter((one) => one !== number);
    const confirmed = { ...advance(member, 'confirm')!, unconfirmed, isConfirmed: unconfirmed.length === 0 };
    return this.#keep(refresh(confirmed, now), { outcome: 'confirmed', changes: [], messages: [] }, now);
  }

  /**
   * A card has signed that it opens nothing of a purchase after an end. What it was granted before and has not confirmed
   * it takes no more, so that is issued anew (protocol 4.5).
   * @param find the offer that a member joined under.
   */
  leaveRecord(
    record: { readonly cardId: Uint8Array; readonly number: number; readonly service: number; readonly to: number },
    cardId: string,
    find: (sessionHash: string) => SoldSession | undefined,
    now: number,
  ): Applied | Refusal {
    const members = this.#members.ofCard(cardId);
    const member = members.find(({ service, number }) => service === record.service && number === record.number);
    const lost = members.filter((other) => unconfirmedOf(other).some((number) => number < record.number));
    const reissued = lost.flatMap((other) => {
      const sold = find(other.sessionHash);
      if (sold === undefined) return [];
      const asked = { cardId, cardOctets: record.cardId, sold, now };
      const granted = this.#grant(asked, other);
      if ('problem' in granted) return [];
      const renewed: Member = { ...other, ...granted.numbers };
      this.#members.put(renewed);
      return { ...granted, member: renewed, changes: [...granted.changes, memberChange(renewed)] };
    });
    const messages = reissued.flatMap((granted) => granted.messages);
    const changes = reissued.flatMap((granted) => granted.changes);
    if (member === undefined) {
      // It has left before, by a request. Or it gave up one of several segments, and goes on with the others.
      const other = members.find(({ service }) => service === record.service) ?? members[0];
      return other === undefined ? NOT_JOINED : { outcome: 'left', member: other, changes, messages, reissued };
    }
    const end = Math.max(record.to, now);
    const applied =
      end >= member.to
        ? { outcome: 'left' as const, member, changes: [], messages: [] }
        : this.#end(member, end, now, true);
    if ('problem' in applied) return applied;
    return { ...applied, changes: [...applied.changes, ...changes], messages, reissued };
  }

  /** What a timer or an operator brings. @param now seconds since 1970. */
  happen(member: Member, event: 'confirm time-out' | 'silence' | 'end' | 'evict', now: number): Applied {
    const reason = REASONS[event];
    const isEarly = reason !== undefined && now < member.to;
    const ended: Member = isEarly ? { ...member, to: Math.max(now, member.from) } : member;
    const changes = isEarly ? [this.#entries.shorten(member.entryId, ended.to, now)] : [];
    advance(member, event);
    return {
      ...this.#remove(ended, changes, now),
      ...(isEarly && { ended: { ...ended, reason, hasLeaveRecord: false } }),
    };
  }

  /** The meter's reading at the start of a connection, where octets are charged. */
  start({ entryId, session }: Pick<Member, 'entryId' | 'session'>): readonly StoreChange[] {
    const entry = this.#entries.find(entryId);
    const reading = this.#read(entryId, session);
    if (entry === undefined || entry.firstReading !== undefined || reading === undefined) return [];
    return [this.#entries.start(entryId, reading)];
  }

  #end(member: Member, to: number, now: number, hasLeaveRecord: boolean): Applied | Refusal {
    if (to >= member.to) return { problem: 'not-earlier', particulars: `the agreed end is ${member.to}` };
    const end = Math.max(to, member.from);
    const leaving = refresh({ ...advance(member, hasLeaveRecord ? 'leave record' : 'leave')!, to: end }, now);
    const changes = [this.#entries.shorten(member.entryId, end, now)];
    const ended: EndedMember = { ...leaving, reason: 'left', hasLeaveRecord };
    const charge = this.#charge(member, end, now);
    if (end <= now || end <= member.from) return { ...this.#remove(leaving, changes, now), ended, ...charge };
    return { ...this.#keep(leaving, { outcome: 'left', changes, messages: [] }, now), ended };
  }

  #sendKey(asked: Asked, member: Member, event: 'join' | 'key request'): Applied | Refusal {
    const granted = this.#grant(asked, member);
    if ('problem' in granted) return granted;
    // Who leaves has paid to its end, and is on its way out all the same.
    const sent: Member = {
      ...advance(member, member.state === 'leaving' ? 'key request' : event)!,
      ...granted.numbers,
    };
    const outcome = event === 'join' ? 'joined' : 'keys';
    return this.#keep(refresh(sent, asked.now), { ...granted, outcome }, asked.now);
  }

  #grant(
    { cardId, cardOctets, sold, now }: Pick<Asked, 'cardId' | 'cardOctets' | 'sold' | 'now'>,
    { from, to }: { readonly from: number; readonly to: number },
  ): (Required<Pick<GrantedKeys, 'changes'>> & GrantedKeys & { readonly numbers: GrantedNumbers }) | Refusal {
    const others = this.#members.ofCard(cardId).filter(({ session }) => session !== sold.session);
    if (others.flatMap(unconfirmedOf).length > MAX_UNCONFIRMED) return { problem: 'confirm-first' };
    const unconfirmed: number[] = [];
    const takeNumber = (): number => {
      const number = this.#numbers.take(cardId, now);
      unconfirmed.push(number);
      return number;
    };
    const { changes = [], ...keys } = this.#keys.grant({ sold, cardId: cardOctets, from, to, takeNumber });
    const number = unconfirmed.at(-1) ?? this.#numbers.last(cardId) ?? now;
    return { ...keys, changes, numbers: { number, unconfirmed, isConfirmed: false } };
  }

  #keep(member: Member, applied: Omit<Applied, 'member' | 'charge'>, now: number, hasListChanged = false): Applied {
    this.#members.put(member);
    return {
      ...applied,
      member,
      changes: [...applied.changes, memberChange(member)],
      ...(hasListChanged && { hasListChanged }),
      ...this.#charge(member, member.to, now),
    };
  }

  #remove(member: Member, changes: readonly StoreChange[], now: number): Applied {
    this.#members.remove(member);
    const reading = this.#read(member.entryId, member.session);
    const closing = this.#entries.close(member.entryId, now, reading);
    // As long as it was a member, its row had the number.
    const number = numberChange(member.cardId, this.#numbers.last(member.cardId) ?? member.number);
    return {
      outcome: 'left',
      member,
      changes: [...changes, ...closing, deleteMemberChange(member), number],
      messages: [],
      hasListChanged: true,
    };
  }

  /** What the join comes to at an end; by octets, only what is sent until now is known. */
  #charge({ entryId, session }: Member, end: number, now: number): { readonly charge?: Charge } {
    const { currency } = this.#entries.find(entryId)!.charges;
    const reading = this.#read(entryId, session);
    if (reading !== undefined && end > now) return {};
    const bill = this.#entries.tryBill(entryId, end, reading);
    if (bill === undefined) return {};
    const { seconds, amount } = bill;
    return { charge: { seconds, amount, ...(currency !== undefined && { currency }) } };
  }

  #read(entryId: number, session: string): bigint | undefined {
    const entry = this.#entries.find(entryId);
    return entry !== undefined && countsOctets(entry.charges) ? this.#meter?.read(session) : undefined;
  }
}

function isOpen({ from, to }: SoldSession, now: number): boolean {
  return from <= now && now < to;
}

function isPastDeadline({ slots }: SoldSession, end: number, now: number): boolean {
  return slots !== undefined && now >= deadlineOf(end, slots);
}
