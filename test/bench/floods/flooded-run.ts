import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Mode } from '../../../apdu/decode-module/packets/card-part.ts';
import { endWithThisProcess } from '../left-behind.ts';
import { ADDRESS, makeSender, type PaidCard, type WatchBill, Watcher } from '../paid-service.ts';
import { type Forger, type MediaFlood, Relay } from './relay.ts';

export const RATE = 5_000_000;
/** Where the watcher listens; the head-end sends to another address, and a relay stands between. */
const WATCHED = '239.255.79.2';
const FLOODER = fileURLToPath(new URL('flooder.ts', import.meta.url));
/** Seconds before a flood begins and after it has ended. */
const CALM = { before: 1.5, after: 3 };
/** ms between looks at what came out. */
const LOOK_EVERY = 50;
/** Octets a second that count as recovered. */
const RECOVERED = (0.9 * RATE) / 8;

/** Datagrams that a process of its own sends without end. */
export interface ProcessFlood {
  readonly port: 'media' | 'rtcp' | 'keys';
  readonly perSecond: number;
  readonly kind: 'octets' | 'packet' | 'rtp' | 'section';
  /** Which the kind changes; the newest genuine packet when left out. */
  readonly datagram?: Uint8Array;
}

export interface Flood {
  readonly what: string;
  readonly mode?: Mode;
  /** Seconds of a content key, those before the flood, and those of the flood itself. */
  readonly period?: number;
  readonly calmBefore?: number;
  readonly lasts?: number;
  /** Whether the receiver joins while the flood lasts. */
  readonly isJoined?: boolean;
  readonly media?: { readonly from: Forger; readonly make: () => MediaFlood };
  readonly process?: ProcessFlood;
}

export interface Watched {
  readonly card: PaidCard | { readonly id: Uint8Array; readonly address: string };
  /** Options of Node for the watcher. */
  readonly node: readonly string[];
  readonly folder: string;
}

export interface FloodFigures {
  /** Percent of what was sent while the flood lasted. */
  readonly delivered: number;
  /** Percent of what was paid. */
  readonly paidAndLost: number;
  /** s from joining to the first plaintext; undefined when there was none. */
  readonly joinedAfter: number | undefined;
  /** s from the end of the flood until everything comes out again. */
  readonly recoveredAfter: number;
  /** MB, the most that the watcher had in memory. */
  readonly memory: number;
  /** Datagrams a second that were sent. */
  readonly perSecond: number;
  /** What the watcher said. */
  readonly said: string;
}

/** Watches 5 Mbit/s through a flood of so many seconds. */
export async function runFlooded(flood: Flood, usual: number, watched: Watched): Promise<FloodFigures> {
  const { mode = 'sealed', period = 300, calmBefore = CALM.before, lasts: seconds = usual } = flood;
  const source = makeSource(calmBefore + seconds + CALM.after);
  const { sender, port } = await makeSender([watched.card], source, 'data', { rate: RATE }, { mode, period });
  const relay = await Relay.open(ADDRESS, WATCHED, port);
  const out = join(watched.folder, 'out');
  rmSync(out, { force: true });
  const watch = () => new Watcher(port, watched.card, { to: WATCHED, out, node: watched.node });
  let watcher = flood.isJoined === true ? undefined : watch();
  await watcher?.says('listening');
  const memory = new PeakMemory(() => watcher?.process);
  const sending = sender.run(new AbortController().signal);
  await sleep(1000 * calmBefore);

  const sentBefore = sender.totals.octets;
  const perSecond = await startFlood(flood, relay, port);
  if (watcher === undefined) {
    await sleep(200);
    watcher = watch();
    await watcher.says('listening');
  }
  const joinedAt = sender.totals.octets;
  await sleep(1000 * seconds);
  const during = sender.totals.octets - sentBefore;
  const sent = await perSecond();
  const recoveredAfter = await recover(out);
  await sending;
  memory.stop();
  const bill: WatchBill = await watcher.bill();
  await relay.close();

  const lost = sender.totals.octets - bill.received - (flood.isJoined === true ? joinedAt : 0);
  return {
    delivered: 100 * (1 - Math.max(0, lost) / during),
    paidAndLost: bill.paid === 0 ? 0 : (100 * bill.missing) / bill.paid,
    joinedAfter: bill.firstAfter === undefined ? undefined : bill.firstAfter / 1000,
    recoveredAfter,
    memory: memory.peak,
    perSecond: sent,
    said: watcher.said,
  };
}

/** @returns what ends it and tells how many datagrams a second there were. */
async function startFlood(flood: Flood, relay: Relay, port: number): Promise<() => Promise<number>> {
  const { media, process: apart } = flood;
  if (media !== undefined) {
    relay.forged = 0;
    relay.flood = { from: media.from, add: media.make() };
  }
  const child = apart && startFlooder(apart, relay, port);
  const startedAt = performance.now();
  return async () => {
    const perSecond = (1000 * relay.forged) / (performance.now() - startedAt);
    relay.flood = undefined;
    return child === undefined ? perSecond : endFlooder(child);
  };
}

function startFlooder(flood: ProcessFlood, relay: Relay, port: number): ChildProcess {
  const { datagram = flood.kind === 'octets' ? new Uint8Array(0) : relay.newest! } = flood;
  const at = port + { media: 0, rtcp: 1, keys: 2 }[flood.port];
  const args = [FLOODER, WATCHED, at, flood.perSecond, flood.kind, Buffer.from(datagram).toString('hex')].map(String);
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  endWithThisProcess(child);
  return child;
}

async function endFlooder(child: ChildProcess): Promise<number> {
  let said = '';
  child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, 'close');
  child.kill('SIGTERM');
  await ended;
  return Number(said);
}

/** @returns seconds until what comes out has its rate again; Infinity when it does not within the calm. */
async function recover(out: string): Promise<number> {
  const startedAt = performance.now();
  const window: number[] = [];
  while (performance.now() - startedAt < 1000 * (CALM.after - 0.5)) {
    window.push(sizeOf(out));
    const from = window.at(-11);
    // Half a second's worth has to come in half a second; the groups of 0.21 s make it uneven.
    if (from !== undefined && window.at(-1)! - from >= RECOVERED * 0.35) {
      return Math.max(0, (performance.now() - startedAt) / 1000 - (10 * LOOK_EVERY) / 1000);
    }
    await sleep(LOOK_EVERY);
  }
  return Infinity;
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function makeSource(seconds: number) {
  const chunk = randomBytes(65_536);
  const chunks = Math.round((RATE * seconds) / 8 / chunk.length);
  return {
    async *[Symbol.asyncIterator]() {
      for (let i = 0; i < chunks; i++) yield { octets: chunk };
    },
  };
}

/** The most memory that a process has at any time, looked at while it runs. */
class PeakMemory {
  peak = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(child: () => ChildProcess | undefined) {
    this.#timer = setInterval(() => {
      const pid = child()?.pid;
      if (pid === undefined) return;
      try {
        const [, kilobytes = '0'] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
        this.peak = Math.max(this.peak, Number(kilobytes) / 1024);
      } catch {
        // It has ended.
      }
    }, 200);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
