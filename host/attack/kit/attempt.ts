import { STATUS, describeModuleStatus } from '../../../apdu/decode-module/module-status.ts';
import { formatStatus } from '../../../apdu/iso7816/status-word.ts';
import type { Target } from './target.ts';

/**
 * What came of an attempt. `not defended`: it works, and the design says that it does; `not tried`: this card, or the way to it, does not
 * allow the attempt; `measured`: nothing can be won or lost by it.
 */
export type Verdict = 'held' | 'BROKEN' | 'not defended' | 'measured' | 'not tried';

/** A status word, and how often it came. */
export interface AnswerCount {
  /** Four hexadecimal digits. */
  readonly status: string;
  readonly meaning: string;
  readonly times: number;
}

/** One thing that a lying host did, and what the card did. */
export interface Attempt {
  readonly tried: string;
  /** In the order in which they first came. */
  readonly answers: readonly AnswerCount[];
  readonly verdict: Verdict;
  /** Why it is broken, or what else there is to say. */
  readonly note?: string;
  /** What was counted or measured, by name with its unit. */
  readonly figures?: Readonly<Record<string, number>>;
}

/** One way of lying to a card. */
export interface Attack {
  /** As on the command line. */
  readonly name: string;
  /** What it is after, in a few words. */
  readonly title: string;
  /** @throws AttackError when the card refuses what is honest, so that nothing can be said of it. */
  run(target: Target): AsyncIterable<Attempt>;
}

/** Status words as they came, gathered for one attempt. */
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
