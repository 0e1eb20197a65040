import type { BridgeStatus } from '../../bridge/index.ts';
import { writeAsTyped } from '../terminal/command-name.ts';
import { describeStopReason, formatPriceAndBalance, formatStatus, formatTrust } from './watch-view.ts';

/** ms between status lines on a terminal, where they replace each other, and elsewhere. */
const TERMINAL_INTERVAL = 500;
const FILE_INTERVAL = 5000;
/** Clears the line that the cursor is on. */
const CLEAR_LINE = '\r\u001B[K';

/** Prints what a run is doing on standard error: a line that refreshes itself on a terminal, plain lines elsewhere. */
export class StatusPrinter {
  readonly #quiet: boolean;
  readonly #isTerminal = process.stderr.isTTY;
  #timer: NodeJS.Timeout | undefined;
  /** A status line is on the terminal, and the next line replaces it. */
  #isStatusShown = false;
  #isFirstPrinted = false;
  /** Lines that wait while the user is asked something; undefined when nobody is. */
  #held: string[] | undefined;

  /** @param quiet whether to print warnings alone. */
  constructor(quiet: boolean) {
    this.#quiet = quiet;
  }

  print(line: string): void {
    if (!this.#quiet) this.#write(line);
  }

  /** Prints a line, also when quiet. */
  warn(line: string): void {
    this.#write(line);
  }

  /** Prints that the state has changed. @param card its address, for what to type. */
  printState(status: BridgeStatus, card: string): void {
    const { state, reason, stopReason } = status;
    if (state === 'ended') {
      this.#printFirst(status);
      this.print(reason ?? state);
    } else if (state === 'waiting for credit' && stopReason !== undefined) {
      this.warn(describeStopReason(stopReason, status, card));
    } else if (reason !== undefined) {
      this.warn(`${state}: ${reason}`);
    } else if (state === 'waiting for keys') {
      this.print([`card ${status.card}`, ...formatPriceAndBalance(status), ...formatTrust(status)].join(', '));
    } else if (!this.#isTerminal && state !== 'waiting for your consent') {
      this.print(state);
    }
  }

  /** Prints the status from now on, until `stop`. */
  follow(status: BridgeStatus): void {
    if (this.#quiet) return;
    let received = 0;
    let printedAt = performance.now();
    const refresh = (): void => {
      const time = performance.now();
      const rate = ((status.received - received) * 8000) / (time - printedAt);
      received = status.received;
      printedAt = time;
      this.#printFirst(status);
      if (this.#isTerminal) this.#replace(formatStatus(status, rate));
      else if (rate > 0) this.#write(formatStatus(status, rate));
    };
    this.#timer = setInterval(refresh, this.#isTerminal ? TERMINAL_INTERVAL : FILE_INTERVAL);
  }

  /** Asks the user something, with nothing else on the terminal meanwhile. */
  async whileAsking<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isStatusShown) process.stderr.write(CLEAR_LINE);
    this.#isStatusShown = false;
    this.#held = [];
    try {
      return await work();
    } finally {
      const held = this.#held;
      this.#held = undefined;
      for (const line of held) this.#write(line);
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #printFirst({ firstAfter }: BridgeStatus): void {
    if (firstAfter === undefined || this.#isFirstPrinted) return;
    this.#isFirstPrinted = true;
    this.print(`first plaintext ${Math.round(firstAfter)} ms after joining`);
  }

  #replace(line: string): void {
    if (this.#held !== undefined) return;
    process.stderr.write(`${CLEAR_LINE}${line.slice(0, process.stderr.columns - 1)}`);
    this.#isStatusShown = true;
  }

  #write(line: string): void {
    if (this.#held !== undefined) {
      this.#held.push(line);
      return;
    }
    process.stderr.write(`${this.#isStatusShown ? CLEAR_LINE : ''}${writeAsTyped(line)}\n`);
    this.#isStatusShown = false;
  }
}
