import { STATUS, describeModuleStatus } from '../../../apdu/decode-module/module-status.ts';
import { formatStatus } from '../../../apdu/iso7816/status-word.ts';
import type { Target } from './target.ts';

/**
 * What came of an attempt.
 * `not defended`: it works, and the design says so.
 * `not tried`: this card, or the way to it, does not allow the attempt.
 * `measured`: nothing can be won or lost by it.
 */
export type Verdict = 'held' | 'BROKEN' | 'not defended' | 'measured' | 'not tried';

/** A status word and how often it came. */
export interface AnswerCount {
  /** Four hexadecimal digits. */
  readonly status: string;
  readonly meaning: string;
  readonly times: number;
}

/** One thing that a dishonest host did, and what the card answered. */
export interface Attempt {
  readonly tried: string;
  /** In the order in which they first came. */
  readonly answers: readonly AnswerCount[];
  readonly verdict: Verdict;
  /** Why the card is broken, or what else there is to say. */
  readonly note?: string;
  /** What was counted or measured, by name with its unit. */
  readonly figures?: Readonly<Record<string, number>>;
}

/** One kind of dishonest host. */
export interface Attack {
  /** The name on the command line. */
  readonly name: string;
  /** What the host wants to achieve, in a few words. */
  readonly title: string;
  /** @throws AttackError when the card refuses an honest command, so that the attack shows nothing. */
  run(target: Target): AsyncIterable<Attempt>;
}

/** Counts the status words of one attempt. */
export class Answers {
  readonly #times = new Map<number, number>();

  add(status: number): void {
    this.#times.set(status, (this.#times.get(status) ?? 0) + 1);
  }

  /** Whether every answer was this one. */
  areAll(status: number): boolean {
    return this.#times.size === 1 && this.#times.has(status);
  }

  get list(): AnswerCount[] {
    return [...this.#times].map(([status, times]) => ({
      status: formatStatus(status),
      meaning: status === STATUS.DONE ? 'done' : describeModuleStatus(status).text,
      times,
    }));
  }
}
