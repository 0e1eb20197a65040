import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runTollcast, TOLLCAST } from '../tollcast-cli.ts';
import { findFreeTcpPort } from './headend-fixture.ts';

/** ms for which something is waited for. */
const PATIENCE = 60_000;
const PASSPHRASE = 'a passphrase of tests';

/** A program that runs. */
export interface Running {
  readonly child: ChildProcess;
  /** ms of `performance.now()` when it was started. */
  readonly startedAt: number;
  readonly said: () => string;
  readonly ended: Promise<number | null>;
}

/** A head-end that serves one channel, and the programs of those who watch it: all of them processes. */
export class SoldChannel {
  readonly folder: string;
  readonly passphrase = PASSPHRASE;
  readonly #env = { ...process.env, TOLLCAST_PASSPHRASE: PASSPHRASE };
  readonly #children = new Set<ChildProcess>();
  /** Address of its API. */
  headEnd = '';
  #server: Running | undefined;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * Makes an issuer and starts the head-end.
   * @param service as a configuration has it, of folder-relative sources.
   * @param more of the configuration.
   */
  static async open(
    service: object,
    files: Readonly<Record<string, Uint8Array>>,
    more: object = {},
  ): Promise<SoldChannel> {
    const channel = new SoldChannel(await mkdtemp(join(tmpdir(), 'tollcast-sold-')));
    for (const [name, octets] of Object.entries(files)) await writeFile(join(channel.folder, name), octets);
    await channel.tollcast('issuer', 'init', '--id', '4b455a');
    const port = await findFreeTcpPort();
    channel.headEnd = `https://127.0.0.1:${port}`;
    const announce = { address: `239.255.${process.pid & 0xff}.248` };
    const config = { listen: `127.0.0.1:${port}`, state: 'state', issuer: '.tollcast/issuer', announce };
    await writeFile(join(channel.folder, 'headend.json'), JSON.stringify({ ...config, ...more, services: [service] }));
    await channel.serve();
    return channel;
  }

  /** Starts the head-end, again after it ended, and waits until it sends. */
  async serve(): Promise<void> {
    const server = this.start('headend', 'serve', '--config', 'headend.json');
    this.#server = server;
    await waitFor(server.said, () => (server.said().includes('a stream begins') ? true : undefined));
  }

  /** The head-end that was started last. */
  get server(): Running {
    return this.#server!;
  }

  /** Runs a command that must succeed, and reads what it prints. */
  async tollcast(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runTollcast(args, { cwd: this.folder, env: this.#env });
    if (code !== 0) throw new Error(`tollcast ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** Asks the head-end by a command of operators. */
  async operate(...args: string[]): Promise<Record<string, unknown>> {
    return JSON.parse(await this.tollcast('headend', ...args, '--config', 'headend.json')) as Record<string, unknown>;
  }

  /** Makes a soft card that trusts the offers. @param credit as in `10.00 USD`. @returns its address. */
  async makeCard(serial: number, credit?: string): Promise<string> {
    const card = `soft:card-${serial}`;
    const trust = ['--trust', '1=state/offer-key.pub.pem'];
    await this.tollcast('issuer', 'personalise', '--card', card, '--serial', String(serial), ...trust);
    if (credit !== undefined) await this.tollcast('issuer', 'load', '--card', card, '--amount', credit);
    return card;
  }

  start(...args: string[]): Running {
    const startedAt = performance.now();
    const child = spawn(process.execPath, [TOLLCAST, ...args], {
      cwd: this.folder,
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.add(child);
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = once(child, 'close').then(([code]) => {
      this.#children.delete(child);
      return code as number | null;
    });
    return { child, startedAt, said: () => said, ended };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async close(): Promise<void> {
    const ended = [...this.#children].map((child) => once(child, 'close'));
    for (const child of this.#children) child.kill('SIGKILL');
    await Promise.all(ended);
    await rm(this.folder, { recursive: true });
  }
}

/** Looks again and again until something is there. @param what is told when it does not come. */
export async function waitFor<T>(what: () => string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (const begun = Date.now(); Date.now() - begun < PATIENCE; await sleep(20)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error(`it did not come: ${what()}`);
}
