import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Running, SoldChannel } from '../support/headend/sold-channel.ts';
import { Mismatch } from './mismatch.ts';

/** ms for which something is waited for. */
const PATIENCE = 90_000;

/** Somebody who watches; whenever the program was killed, it is started again. */
export class Viewer {
  readonly #channel: SoldChannel;
  readonly card: string;
  #runs = 0;
  #running: Running | undefined;

  constructor(channel: SoldChannel, card: string) {
    this.#channel = channel;
    this.card = card;
  }

  /** Starts the program, and waits until it has delivered something. */
  async start(): Promise<void> {
    this.#runs += 1;
    const prices = ['--max-price', '0.10 USD/MB', '--max-price', '5.00 USD/h'];
    const words = ['watch', 'harbour', '--head-end', this.#channel.headEnd, '--card', this.card, '--wait', ...prices];
    this.#running = this.#channel.start(...words, '--out', this.#outOf(this.#runs), '--overwrite');
    await this.waitForMore(0);
  }

  /** Waits until it has delivered more octets than so many in this run. @throws Mismatch when it does not. */
  async waitForMore(than: number): Promise<void> {
    for (const begun = Date.now(); Date.now() - begun < PATIENCE; await sleep(20)) {
      if ((await this.delivered(this.#runs)) > than) return;
      if (this.#program.child.exitCode !== null) break;
    }
    const said = `${this.#program.said()}\n${this.#channel.server.said().slice(-2000)}`;
    throw new Mismatch(`${this.card} was delivered nothing more for ${PATIENCE} ms, or ended: ${said}`);
  }

  /** Octets that were delivered in a run; in this one when none is named. */
  async delivered(run = this.#runs): Promise<number> {
    const file = join(this.#channel.folder, this.#outOf(run));
    return (await readFile(file).catch(() => Buffer.alloc(0))).length;
  }

  async deliveredInAll(): Promise<number> {
    let octets = 0;
    for (let run = 1; run <= this.#runs; run++) octets += await this.delivered(run);
    return octets;
  }

  async kill(): Promise<void> {
    this.#program.child.kill('SIGKILL');
    await this.#program.ended;
  }

  /** Leaves the channel, as one who types ^C. @throws Mismatch when the program fails. */
  async leave(): Promise<void> {
    this.#program.child.kill('SIGINT');
    const status = await this.#program.ended;
    if (status !== 0) throw new Mismatch(`watch ended with ${status}: ${this.#program.said()}`);
  }

  get #program(): Running {
    return this.#running!;
  }

  #outOf(run: number): string {
    return `${this.card.replace(/\W/g, '-')}-${run}`;
  }
}

/** Somebody who loads a card with one voucher after the other, each typed again until it is told to be loaded. */
export class Loader {
  readonly #channel: SoldChannel;
  readonly #card: string;
  readonly #codes: readonly string[];
  #next = 0;
  #failures = 0;
  #isOver = false;
  #running: Running | undefined;
  #working: Promise<void> = Promise.resolve();

  constructor(channel: SoldChannel, card: string, codes: readonly string[]) {
    this.#channel = channel;
    this.#card = card;
    this.#codes = codes;
  }

  /** Vouchers that were loaded, as the program said. */
  get loaded(): number {
    return this.#next;
  }

  /** Times that the program was killed, or did not reach the head-end, or found the card gone. */
  get failures(): number {
    return this.#failures;
  }

  start(): void {
    this.#working = this.#work();
    // Whoever stops it is told.
    this.#working.catch(() => undefined);
  }

  /** Ends after the voucher that it is at. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#working;
  }

  /** Kills the program; the voucher is typed again. */
  kill(): void {
    this.#running?.child.kill('SIGKILL');
  }

  async #work(): Promise<void> {
    for (const code of this.#codes) {
      if (this.#isOver) return;
      const words = ['card', 'load', '--head-end', this.#channel.headEnd, '--card', this.#card, '--voucher', code];
      for (const begun = Date.now(); ; this.#failures++) {
        this.#running = this.#channel.start(...words);
        if ((await this.#running.ended) === 0) break;
        if (Date.now() - begun > PATIENCE) throw new Mismatch(`a voucher is not loaded: ${this.#running.said()}`);
      }
      this.#next += 1;
    }
    throw new Mismatch('there are too few vouchers for so long a run');
  }
}
