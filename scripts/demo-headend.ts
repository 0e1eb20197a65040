import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { TollcastError } from '../apdu/errors.ts';
import type { DemoStore } from './demo-card.ts';
import type { DemoOptions } from './demo-options.ts';

const LOOPBACK = '127.0.0.1';
const CLI = join(import.meta.dirname, '../host/cli/tollcast.ts');
const run = promisify(execFile);

/** A head-end that sells one channel, as a process of its own, so that what it sends crosses a real socket. */
export class DemoHeadend {
  readonly url: URL;
  /** The key that signs its offers, as `--trust` takes it. */
  readonly trust: string;
  readonly #child: ChildProcess;
  readonly #pipe: string;
  readonly #said: () => string;

  /**
   * Writes its configuration and starts it. The source is a pipe, so that the clip begins when somebody watches.
   * @throws TollcastError `HEADEND` with what it said when it ends before it runs.
   */
  static async start(options: DemoOptions, store: DemoStore): Promise<DemoHeadend> {
    const { folder } = options;
    const pipe = join(folder, 'live');
    await run('mkfifo', [pipe]);
    const port = await findFreePort();
    const state = join(folder, 'headend');
    const config = join(folder, 'headend.json');
    const profile =
      options.mode === 'strict'
        ? { mode: options.mode }
        : { mode: options.mode, every: options.every, span: options.span };
    // Every run has an address of its own, so that two demos do not hear each other.
    const address = `239.255.${process.pid & 255}.${(process.pid >>> 8) & 255}:${20_000 + 4 * (process.pid % 5000)}`;
    const session = {
      name: 'main',
      source: pipe,
      address,
      profile,
      ...(options.rate !== undefined && { rate: options.rate }),
    };
    const service = { number: 1, name: 'Demo', price: { content: { price: options.price } }, sessions: [session] };
    const listen = `${LOOPBACK}:${port}`;
    await writeFile(config, JSON.stringify({ listen, state, issuer: store.folder, services: [service] }, undefined, 2));
    const child = spawn(process.execPath, [CLI, 'headend', 'serve', '--config', config], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, TOLLCAST_PASSPHRASE: store.passphrase },
    });
    let said = '';
    const runs = new Promise<void>((resolve) => {
      child.stderr.on('data', (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-4000);
        if (said.includes('the head-end runs')) resolve();
      });
    });
    const exit = once(child, 'exit').then(() => {
      throw new TollcastError('HEADEND', `the head-end ended: ${said.trim().split('\n').at(-1)}`);
    });
    exit.catch(() => undefined);
    await Promise.race([runs, exit]);
    return new DemoHeadend(child, pipe, `https://${listen}`, `1=${join(state, 'offer-key.pub.pem')}`, () => said);
  }

  private constructor(child: ChildProcess, pipe: string, url: string, trust: string, said: () => string) {
    this.#child = child;
    this.#pipe = pipe;
    this.url = new URL(url);
    this.trust = trust;
    this.#said = said;
  }

  /** The last line that it logged. */
  get lastLine(): string {
    return this.#said().trim().split('\n').at(-1) ?? '';
  }

  /** Sends a file once, at its own pace; settles when all of it was taken. */
  async send(source: string, signal: AbortSignal): Promise<void> {
    await pipeline(createReadStream(source), createWriteStream(this.#pipe), { signal });
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, LOOPBACK);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
