/** Where a card stands in a session; `none` is a card that is not on the list. */
export type MemberState = 'none' | 'asked' | 'joined' | 'leaving';

/** What happens to a member: what its card sends, what a timer or an operator brings. */
export type MemberEvent =
  | 'join'
  | 'extend'
  | 'leave'
  | 'key request'
  | 'stay'
  | 'confirm'
  | 'leave record'
  | 'confirm time-out'
  | 'silence'
  | 'end'
  | 'evict';

/** One row of the table in `firmware-notes/head-end.md`; a test holds both to each other. */
export interface Transition {
  readonly state: MemberState;
  readonly event: MemberEvent;
  readonly next: MemberState;
  readonly does: string;
}

/** All that can happen; anything else is refused or changes nothing. */
export const TRANSITIONS: readonly Transition[] = [
  { state: 'none', event: 'join', next: 'asked', does: 'on the list; first key sent; entry opened' },
  { state: 'asked', event: 'confirm', next: 'joined', does: 'confirm timer stopped' },
  { state: 'asked', event: 'join', next: 'asked', does: 'as extend where it ends later, else as key request' },
  { state: 'asked', event: 'extend', next: 'asked', does: 'key sent anew; entry extended' },
  { state: 'asked', event: 'key request', next: 'asked', does: 'key sent anew' },
  { state: 'asked', event: 'stay', next: 'asked', does: 'keep-alive timer started anew' },
  { state: 'asked', event: 'leave', next: 'leaving', does: 'billing stop logged; entry shortened' },
  {
    state: 'asked',
    event: 'leave record',
    next: 'leaving',
    does: 'as leave; unconfirmed keys of the card issued anew',
  },
  { state: 'asked', event: 'confirm time-out', next: 'none', does: 'off the list; entry shortened and closed' },
  { state: 'asked', event: 'silence', next: 'none', does: 'off the list; entry shortened and closed' },
  { state: 'asked', event: 'end', next: 'none', does: 'off the list; entry closed' },
  { state: 'asked', event: 'evict', next: 'none', does: 'off the list; entry shortened and closed' },
  { state: 'joined', event: 'confirm', next: 'joined', does: 'key of an extension confirmed' },
  { state: 'joined', event: 'join', next: 'joined', does: 'as extend where it ends later, else as key request' },
  { state: 'joined', event: 'extend', next: 'joined', does: 'key sent anew; entry extended' },
  { state: 'joined', event: 'key request', next: 'joined', does: 'key sent anew' },
  { state: 'joined', event: 'stay', next: 'joined', does: 'keep-alive timer started anew' },
  { state: 'joined', event: 'leave', next: 'leaving', does: 'billing stop logged; entry shortened' },
  {
    state: 'joined',
    event: 'leave record',
    next: 'leaving',
    does: 'as leave; unconfirmed keys of the card issued anew',
  },
  { state: 'joined', event: 'silence', next: 'none', does: 'off the list; entry shortened and closed' },
  { state: 'joined', event: 'end', next: 'none', does: 'off the list; entry closed' },
  { state: 'joined', event: 'evict', next: 'none', does: 'off the list; entry shortened and closed' },
  { state: 'leaving', event: 'confirm', next: 'leaving', does: 'nothing' },
  { state: 'leaving', event: 'join', next: 'asked', does: 'as extend where it ends later, else as key request' },
  { state: 'leaving', event: 'extend', next: 'asked', does: 'key sent anew; entry extended' },
  { state: 'leaving', event: 'key request', next: 'leaving', does: 'key sent anew, to the agreed end' },
  { state: 'leaving', event: 'stay', next: 'leaving', does: 'keep-alive timer started anew' },
  { state: 'leaving', event: 'leave', next: 'leaving', does: 'billing stop logged; entry shortened' },
  { state: 'leaving', event: 'leave record', next: 'leaving', does: 'unconfirmed keys of the card issued anew' },
  { state: 'leaving', event: 'silence', next: 'none', does: 'off the list; entry shortened and closed' },
  { state: 'leaving', event: 'end', next: 'none', does: 'off the list; entry closed' },
  { state: 'leaving', event: 'evict', next: 'none', does: 'off the list; entry shortened and closed' },
];

/** A timer of members, as the page has it. */
export interface MemberTimer {
  readonly event: MemberEvent;
  readonly states: readonly MemberState[];
  /** From when and how long it runs. */
  readonly runs: string;
}

export const MEMBER_TIMERS: readonly MemberTimer[] = [
  { event: 'confirm time-out', states: ['asked'], runs: 'from join, or start if later, for confirmTimeout' },
  {
    event: 'silence',
    states: ['asked', 'joined', 'leaving'],
    runs: 'from the last message, or start if later, for keepAlive',
  },
  { event: 'end', states: ['asked', 'joined', 'leaving'], runs: 'to the agreed end' },
];

const BY_STATE = new Map(TRANSITIONS.map((transition) => [`${transition.state} ${transition.event}`, transition]));

/** @returns undefined when this cannot happen in this state. */
export function nextState(state: MemberState, event: MemberEvent): MemberState | undefined {
  return BY_STATE.get(`${state} ${event}`)?.next;
}

/** Whether a timer runs in a state. */
export function hasTimer(state: MemberState, event: MemberEvent): boolean {
  return MEMBER_TIMERS.some((timer) => timer.event === event && timer.states.includes(state));
}
