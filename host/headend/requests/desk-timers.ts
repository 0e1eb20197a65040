import type { Clock } from '../../clock/clock.ts';
import { countsOctets } from '../charging/charge-terms.ts';
import { endOf, startOf } from '../charging/charging-entry.ts';
import { DueTimes } from '../membership/due-times.ts';
import type { Member, TimerEvent } from '../membership/member.ts';
import type { DeskState } from './desk-state.ts';

/** What is to be done when it is due; times in seconds since 1970. */
export interface DueWork {
  happen(member: Member, event: TimerEvent, now: number): Promise<void>;
  /** A connection whose octets are counted begins. */
  start(entryId: number, session: string): Promise<void>;
  /** @returns how many entries billing did not take. */
  forward(now: number): Promise<number>;
  transfer(now: number): Promise<void>;
  forget(now: number): Promise<void>;
}

/** Seconds between two looks for what may be forgotten. */
const FORGET_PERIOD = 600;
/** Seconds until what billing did not take is forwarded again. */
const RETRY = 10;
const DEFAULT_PERIOD = 3600;

/** Sees to it that members end, entries are forwarded and old answers forgotten when it is time. */
export class DeskTimers {
  readonly #state: DeskState;
  readonly #clock: Clock;
  readonly #period: number;
  readonly #work: DueWork;
  readonly #starts = new DueTimes<number>();
  #nextTransfer: number;
  #nextForget: number;
  #retryAt = 0;
  #charging: Promise<void> | undefined;
  #sleep: { readonly until: number; readonly wake: () => void } | undefined;

  constructor(state: DeskState, clock: Clock, period: number | undefined, work: DueWork) {
    this.#state = state;
    this.#clock = clock;
    this.#period = period ?? DEFAULT_PERIOD;
    this.#work = work;
    const now = this.#now();
    this.#nextTransfer = period === undefined ? Infinity : now + this.#period;
    this.#nextForget = now + FORGET_PERIOD;
    for (const entry of state.entries.entries()) this.#awaitStart(entry.id);
  }

  /** Members end in time, however long billing takes. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#tend();
      if (this.#chargeAt() <= this.#now()) {
        this.#charging = this.#charge().finally(() => {
          this.#charging = undefined;
          this.wake();
        });
      }
      await this.#sleepUntilDue(signal);
    }
    await this.#charging;
  }

  /** Does what is due, and waits until billing has answered. */
  async tick(): Promise<void> {
    await this.#tend();
    await this.#charge();
  }

  async #tend(): Promise<void> {
    const now = this.#now();
    const { members, entries } = this.#state;
    const begun = this.#starts.take(now).flatMap((id) => entries.find(id) ?? []);
    await Promise.all(begun.map(({ id, session }) => this.#work.start(id, session)));
    const due = members.takeDue(now);
    await Promise.all(due.map(({ member, due: { event } }) => this.#work.happen(member, event, now)));
    if (now >= this.#nextForget) {
      this.#nextForget = now + FORGET_PERIOD;
      await this.#work.forget(now);
    }
  }

  async #charge(): Promise<void> {
    const now = this.#now();
    if (now >= this.#nextTransfer) {
      this.#nextTransfer = now + this.#period;
      await this.#work.transfer(now);
    }
    if (now >= this.#forwardAt()) this.#retryAt = (await this.#work.forward(now)) > 0 ? now + RETRY : 0;
  }

  /** Something may be due earlier than it was. @param entryId of an entry that was just opened. */
  wake(entryId?: number): void {
    if (entryId !== undefined) this.#awaitStart(entryId);
    if (this.#sleep !== undefined && this.#dueAt() < this.#sleep.until) this.#sleep.wake();
  }

  #awaitStart(entryId: number): void {
    const entry = this.#state.entries.find(entryId);
    if (entry === undefined || !countsOctets(entry.charges) || entry.firstReading !== undefined) return;
    if (endOf(entry) > startOf(entry)) this.#starts.add(startOf(entry), entryId);
  }

  async #sleepUntilDue(signal: AbortSignal): Promise<void> {
    const until = this.#dueAt();
    const woken = new AbortController();
    this.#sleep = { until, wake: () => woken.abort() };
    const either = AbortSignal.any([signal, woken.signal]);
    try {
      await this.#clock.sleep(Math.max(1, until * 1000 - this.#clock.now()), either);
    } catch (error) {
      if (!either.aborted) throw error;
    } finally {
      this.#sleep = undefined;
    }
  }

  /** Seconds since 1970. */
  #dueAt(): number {
    return Math.min(this.#state.members.nextDue, this.#starts.next, this.#nextForget, this.#chargeAt());
  }

  /** When entries are to be seen to; while that is done, nothing more of it is due. */
  #chargeAt(): number {
    return this.#charging === undefined ? Math.min(this.#nextTransfer, this.#forwardAt()) : Infinity;
  }

  /** When something is to be forwarded: at once, or after a while where billing did not take it. */
  #forwardAt(): number {
    return this.#state.entries.hasClosed ? this.#retryAt : Infinity;
  }

  #now(): number {
    return Math.floor(this.#clock.now() / 1000);
  }
}
