import type { ListedMember } from './member-list.ts';
import { hasTimer, type MemberEvent, type MemberState, nextState } from './member-states.ts';

/** One card in one session. It never changes: what happens makes a new one. */
export interface Member extends ListedMember {
  /** Of its charging entry; no other member ever has it. */
  readonly entryId: number;
  readonly session: string;
  readonly service: number;
  /** Of the offer that it joined under. */
  readonly sessionHash: string;
  readonly state: Exclude<MemberState, 'none'>;
  /** Whether the card has confirmed its last grant, all of it. */
  readonly isConfirmed: boolean;
  /** Numbers of the last grant that are not confirmed; after a restart its last alone is known. */
  readonly unconfirmed?: readonly number[];
  /** Seconds since 1970 until when it must confirm. */
  readonly confirmBy?: number;
  /** Seconds after which its silence drops it. */
  readonly keepAlive?: number;
  /** Seconds since 1970 until when it must be heard of. */
  readonly aliveUntil?: number;
}

export type TimerEvent = Extract<MemberEvent, 'confirm time-out' | 'silence' | 'end'>;

/** What a timer brings to a member, and when. */
export interface DueEvent {
  readonly at: number;
  readonly event: TimerEvent;
}

/** The next event that a timer brings; of several at once the agreed end counts. */
export function nextDue({ state, to, confirmBy = Infinity, aliveUntil = Infinity }: Member): DueEvent {
  const due: DueEvent[] = [
    { at: to, event: 'end' },
    { at: confirmBy, event: 'confirm time-out' },
    { at: aliveUntil, event: 'silence' },
  ];
  return due.filter(({ event }) => hasTimer(state, event)).reduce((first, next) => (next.at < first.at ? next : first));
}

/** The member after an event; its ends and numbers are the caller's business. @returns undefined when it is off the list. */
export function advance(member: Member, event: MemberEvent): Member | undefined {
  const next = nextState(member.state, event);
  if (next === undefined) throw new Error(`${event} is not for a member that is ${member.state}`);
  return next === 'none' ? undefined : { ...member, state: next };
}

/** A member that was just heard of. @param now seconds since 1970. */
export function refresh(member: Member, now: number): Member {
  const { keepAlive, from } = member;
  return keepAlive === undefined ? member : { ...member, aliveUntil: Math.max(now, from) + keepAlive };
}

/** Numbers of a member's last grant that the card has not confirmed. */
export function unconfirmedOf({ isConfirmed, unconfirmed, number }: Member): readonly number[] {
  return isConfirmed ? [] : (unconfirmed ?? [number]);
}
