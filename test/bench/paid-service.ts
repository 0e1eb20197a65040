import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Mode } from '../../apdu/decode-module/packets/card-part.ts';
import { startCard } from '../../card-sim/index.ts';
import {
  chooseProfile,
  KeyManager,
  limitGroups,
  type MediaSource,
  ServiceSender,
  type SourceFormat,
  startStream,
} from '../../host/headend/index.ts';
import { loadOpensslAead } from '../../host/transport/crypto/node-openssl-aead.ts';
import { deriveTestCardKey, findFreePort, LOOPBACK, personalise } from '../support/streams/test-service.ts';
import { TOLLCAST } from '../support/tollcast-cli.ts';
import { endWithThisProcess } from './left-behind.ts';

export const ADDRESS = '239.255.79.1';
/** Micro-units: 500 USD. */
const CREDIT = 500_000_000n;

/** A soft card with credit, in a file. */
export interface PaidCard {
  readonly file: string;
  readonly id: Uint8Array;
}

export async function makeCard(folder: string, serial: number): Promise<PaidCard> {
  const file = join(folder, `card-${serial}`);
  await using card = await startCard({ kind: 'soft', state: file });
  return { file, id: await personalise(card, serial, CREDIT) };
}

/** A head-end in this process that is about to send, n = 100, span 64, 0.25 USD/MB; to a free port, sealed, unless told. */
export async function makeSender(
  cards: readonly Pick<PaidCard, 'id'>[],
  source: MediaSource,
  format: SourceFormat,
  pace: { readonly rate?: number; readonly speed?: number },
  changes: { readonly mode?: Mode; readonly period?: number; readonly port?: number } = {},
): Promise<{ readonly sender: ServiceSender; readonly port: number }> {
  const { mode = 'sealed', period = 300, port = await findFreePort() } = changes;
  const stream = startStream();
  const profile = chooseProfile({ mode, closingTime: 250 });
  const keys = await KeyManager.start(
    {
      service: 1,
      stream,
      price: { tariff: { kind: 'octets', price: 250_000n } },
      groupLimits: limitGroups(profile),
      granted: 3600,
      period,
      cards: cards.map(({ id }) => ({ cardId: id, downlinkKey: deriveTestCardKey('downlink', id) })),
    },
    { take: async (granted, now) => granted.map(() => now) },
  );
  const sender = new ServiceSender({
    stream,
    source: { media: source, format, rate: pace.rate },
    profile: { ...profile, aead: await loadOpensslAead() },
    keys,
    to: { address: ADDRESS, port, keyPort: port + 2, interface: LOOPBACK, ttl: 0 },
    pace: { speed: pace.speed ?? 1, lead: 300 },
  });
  return { sender, port };
}

/** What `tollcast watch --json` ends with; the part of it that is looked at. */
export interface WatchBill {
  readonly received: number;
  readonly missing: number;
  /** Octets charged for. */
  readonly paid: number;
  /** ms. */
  readonly firstAfter?: number;
}

/** Options of Node that make the import of koffi fail, as where it is not installed. */
export const WITHOUT_KOFFI: readonly string[] = [
  '--import',
  `data:text/javascript,${encodeURIComponent(
    `import { registerHooks } from 'node:module';
   registerHooks({ resolve(name, context, next) {
     if (name === 'koffi') throw new Error('koffi is not installed');
     return next(name, context);
   } });`,
  )}`,
];

/** `tollcast watch` in a process of its own, to /dev/null. */
export class Watcher {
  readonly process: ChildProcess;
  readonly #ended: Promise<unknown>;
  #said = '';
  #json = '';

  /** @param changes node: options of Node itself. */
  constructor(
    port: number,
    card: Pick<PaidCard, 'file'> | { readonly address: string },
    changes: { readonly to?: string; readonly out?: string; readonly node?: readonly string[] } = {},
  ) {
    const { to = ADDRESS, out = '/dev/null', node = [] } = changes;
    const at = 'file' in card ? `soft:${card.file}` : card.address;
    const watch = ['watch', '--address', `${to}:${port}`, '--card', at, '--out', out, '--yes', '--json'];
    this.process = spawn(process.execPath, [...node, TOLLCAST, ...watch], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.process.stdout?.on('data', (chunk: Buffer) => (this.#json += chunk.toString()));
    this.process.stderr?.on('data', (chunk: Buffer) => (this.#said += chunk.toString()));
    endWithThisProcess(this.process);
    this.#ended = once(this.process, 'close');
  }

  /** Waits until it says something. @throws Error when it ends without. */
  async says(words: string): Promise<void> {
    const over = this.#ended.then(() => true);
    while (!this.#said.includes(words)) {
      if (await Promise.race([over, once(this.process.stderr!, 'data').then(() => false)])) throw this.#failure();
    }
  }

  /** All that it said so far, warnings among it. */
  get said(): string {
    return this.#said;
  }

  /** Ends it as Ctrl-C does. */
  stop(): Promise<WatchBill> {
    this.process.kill('SIGINT');
    return this.bill();
  }

  /** Waits for the end of the stream. */
  async bill(): Promise<WatchBill> {
    await this.#ended;
    if (this.process.exitCode !== 0) throw this.#failure();
    return JSON.parse(this.#json) as WatchBill;
  }

  #failure(): Error {
    return new Error(`tollcast watch broke off: ${this.#said.slice(-500)}`);
  }
}

/** Seconds of CPU that a process has used, all its threads, steps of 0.01 s; undefined when it is gone. */
export function readCpuSeconds({ pid }: ChildProcess): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return undefined;
  }
}
