import type { Clock } from '../../clock/clock.ts';
import { Signal } from '../../clock/signal.ts';
import type { MembershipChange, MembershipEvents } from '../requests/session-keys.ts';

/** When the members of each session changed last, for its announcement to the others. It says neither who nor how many. */
export class ListChanges implements MembershipEvents {
  readonly #last = new Map<string, number>();
  readonly #signal: Signal;

  constructor(clock: Clock) {
    this.#signal = new Signal(clock);
  }

  changed({ session, at }: MembershipChange): void {
    this.#last.set(session, Math.floor(at / 1000));
    this.#signal.notify();
  }

  /** @returns seconds since 1970; 0 when nothing has changed since the start. */
  lastOf(session: string): number {
    return this.#last.get(session) ?? 0;
  }

  /** Waits for a change after the last wait, so many ms at most. */
  async wait(ms: number): Promise<void> {
    await this.#signal.wait(ms);
    this.#signal.reset();
  }

  /** Ends a wait. */
  end(): void {
    this.#signal.notify();
  }
}
