import { randomBytes } from 'node:crypto';
import type { Writable } from 'node:stream';
import { requireThat } from './mismatch.ts';

/** ms between two lines. */
const INTERVAL = 10;
const MAX_LENGTH = 900;

/** A live source of numbered lines of random text, as fast as a small stream. */
export class LineSource {
  readonly #lines: string[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** Writes lines until `stop`; numbers go on from those before. @returns the number of the first. */
  start(to: Writable): number {
    const first = this.#lines.length;
    // Whoever reads was killed.
    to.on('error', () => this.stop());
    this.#timer = setInterval(() => {
      const number = this.#lines.length;
      const line = `${number} ${randomBytes(1 + ((number * 37) % (MAX_LENGTH / 2))).toString('hex')}\n`;
      this.#lines.push(line);
      to.write(line);
    }, INTERVAL);
    return first;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /**
   * Checks what was delivered: lines that were sent, none twice, none out of order; the last may be cut short.
   * @throws Mismatch
   */
  requireDelivered(text: string, isCut: boolean): void {
    let last = -1;
    const lines = text.split(/(?<=\n)/);
    for (const [at, line] of lines.entries()) {
      if (isCut && at === lines.length - 1 && !line.endsWith('\n')) continue;
      const number = Number.parseInt(line, 10);
      requireThat(this.#lines[number] === line, `line ${at} was delivered as it was never sent: ${line.slice(0, 40)}`);
      requireThat(number > last, `line ${number} was delivered twice, or after line ${last}`);
      last = number;
    }
  }
}

/** The number of the last whole line, -1 when there is none. */
export function lastNumber(text: string): number {
  const end = text.lastIndexOf('\n');
  if (end < 0) return -1;
  return Number.parseInt(text.slice(text.lastIndexOf('\n', end - 1) + 1, end), 10);
}
