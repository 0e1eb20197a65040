import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import type { PurseStatus } from '../../apdu/decode-module/money/purse-status.ts';
import type { Receipt } from '../../apdu/decode-module/money/receipt.ts';
import { SoftSimulation } from '../../card-sim/simulator/soft-simulation.ts';
import { collectReceipts } from '../../host/issuer/orders/receipts.ts';
import { type IssuerFixture, PASSPHRASE, startIssuer } from '../support/issuer-fixture.ts';
import { findFreePort } from '../support/streams/test-service.ts';
import { runTollcast, TOLLCAST } from '../support/tollcast-cli.ts';
import { Mismatch, requireEqual } from './mismatch.ts';

const CARD = '0a1b2c-02-00000001';
const ENV = { ...process.env, TOLLCAST_PASSPHRASE: PASSPHRASE };
/** One micro-unit an octet. */
const PRICE = '1.00 USD/MB';
/** Micro-units that a card takes at a time. */
export const QUANTUM = 50_000n;
/** ms for which something is waited for. */
const PATIENCE = 60_000;

/** What the card says after a run. */
export interface Settled {
  readonly purse: PurseStatus;
  /** Those that the issuer did not have before. */
  readonly receipts: readonly Receipt[];
}

/** A program that runs. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  readonly stdout: () => string;
  readonly said: () => string;
}

/** An issuer, its soft card with credit in a file, and an address for a stream. */
export class Stage implements AsyncDisposable {
  readonly issuer: IssuerFixture;
  readonly folder: string;
  readonly #address: readonly string[];
  readonly #children = new Set<ChildProcess>();

  private constructor(issuer: IssuerFixture, folder: string, port: number) {
    this.issuer = issuer;
    this.folder = folder;
    this.#address = ['--address', `239.255.78.11:${port}`];
  }

  static async open(): Promise<Stage> {
    const folder = await mkdtemp(join(tmpdir(), 'tollcast-kill-'));
    const stage = new Stage(await startIssuer(0x0a1b2c), folder, await findFreePort());
    const at = ['--card', stage.#card, '--store', stage.issuer.store];
    for (const args of [
      ['issuer', 'personalise', ...at, '--serial', '1', '--max-balance', '5000.00'],
      ['issuer', 'load', ...at, '--amount', '5000.00 USD', '--soft-limit', '5000.00'],
    ]) {
      const { code, stderr } = await runTollcast(args, { env: ENV });
      requireEqual(`tollcast ${args.join(' ')} (${stderr.trim()})`, code, 0);
    }
    return stage;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await this.issuer.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  get #card(): string {
    return `soft:${join(this.folder, 'card')}`;
  }

  startHeadEnd(...more: readonly string[]): Running {
    const { store } = this.issuer;
    const sold = [
      '--price',
      PRICE,
      '--quantum',
      '0.05 USD',
      '--grant',
      CARD,
      '--store',
      store,
      '--format',
      'lines',
      '--every',
      '1',
    ];
    return this.#start('headend', 'send', '--source', '-', ...this.#address, ...sold, ...more);
  }

  /** @param out name of a file in the folder. */
  startWatch(out: string): Running {
    return this.#start(
      'watch',
      ...this.#address,
      '--card',
      this.#card,
      '--out',
      join(this.folder, out),
      '--yes',
      '--json',
    );
  }

  /** What has been delivered to a file. */
  async delivered(out: string): Promise<string> {
    return readFile(join(this.folder, out), 'utf8').catch(() => '');
  }

  /** Waits until what has been delivered to a file is as wanted. @throws Mismatch when nothing comes. */
  async waitFor(out: string, isWanted: (text: string) => boolean, ...programs: readonly Running[]): Promise<void> {
    for (const start = Date.now(); Date.now() - start < PATIENCE; await sleep(10)) {
      if (isWanted(await this.delivered(out))) return;
    }
    throw new Mismatch(`nothing came within ${PATIENCE} ms: ${programs.map(({ said }) => said()).join('\n')}`);
  }

  /** @returns the exit status of a program that is about to end. @throws Mismatch when it does not. */
  async waitForEnd({ ended, said }: Running): Promise<number | null> {
    const late = new AbortController();
    const status = await Promise.race([ended, sleep(PATIENCE, 'late' as const, { signal: late.signal, ref: true })]);
    late.abort();
    if (status === 'late') throw new Mismatch(`it did not end within ${PATIENCE} ms: ${said()}`);
    return status;
  }

  async kill({ child, ended }: Running): Promise<void> {
    child.kill('SIGKILL');
    await ended;
  }

  /**
   * Reads the card as its issuer does, who keeps the receipts, and checks the law of the purse.
   * @throws Mismatch
   */
  async settle(): Promise<Settled> {
    const card = await SoftSimulation.start(join(this.folder, 'card'));
    try {
      const module = new DecodeModule(await card.channel());
      await module.select();
      const { receipts } = await collectReceipts(module, this.issuer.keys, this.issuer.accounts);
      const purse = await module.getPurse();
      const { cardId } = await module.select();
      const totals = await this.issuer.accounts.receiptTotals(cardId);
      requireEqual('receipts that the issuer has', totals.last, purse.receiptsWritten);
      requireEqual('spent, by the receipts', purse.spent, totals.amount + totals.torn);
      requireEqual('torn, by the receipts', purse.torn, totals.torn);
      requireEqual('taken', purse.taken, 0n);
      for (const { number, amount, octets } of receipts)
        requireEqual(`amount of receipt ${number}`, amount, BigInt(octets));
      return { purse, receipts };
    } finally {
      await card.close();
    }
  }

  #start(...args: readonly string[]): Running {
    const child = spawn(process.execPath, [TOLLCAST, ...args], { env: ENV, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#children.add(child);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const ended = once(child, 'close').then(([code]) => {
      this.#children.delete(child);
      return code as number | null;
    });
    return { child, ended, stdout: () => stdout, said: () => stdout + stderr };
  }
}
