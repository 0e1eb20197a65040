import { readFileSync } from 'node:fs';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findFreePort } from '../../support/streams/test-service.ts';
import { findMedian, type Measurement } from '../figures.ts';
import { makeScratchFolder } from '../left-behind.ts';
import { ADDRESS, type WatchBill } from '../paid-service.ts';
import { type Command, LiveDesk } from './live-desk.ts';

/** Packets of the run. */
export const TEN_MILLION = 10_000_000;
/** Octets of a payload, and those that the last one lacks. */
const PAYLOAD = 1316;
const SHORT_OF = 1003;
/** bit/s. */
const RATE = 400_000_000;
/** Micro-units per 1,000,000 octets. */
const PRICE = 700n;
/** MB of a half of V8's young generation, which otherwise doubles now and then, up to some size, whatever is kept. */
const YOUNG = 16;
/** ms that are left aside, in which Node takes the room that it works in. */
const WARM_UP = 60_000;
/** ms between two looks at the memory, and from a collection to the look. */
const SAMPLE_INTERVAL = 4000;
const SETTLE = 500;
const COLLECTOR = new URL('collect-at-signal.ts', import.meta.url).href;

/** What `tollcast watch --json` and `tollcast headend send --json` end with; the parts that are looked at. */
type Charged = WatchBill & { readonly charged: number };
interface Sent {
  readonly octets: number;
  readonly packets: number;
}

/** Sends a long file by `tollcast headend send` to `tollcast watch`, and looks at the memory and the charge of both. */
export async function measureLongRun(packets: number): Promise<Measurement> {
  const desk = await LiveDesk.open(makeScratchFolder(), {
    NODE_OPTIONS: `--import ${COLLECTOR} --max-semi-space-size=${YOUNG}`,
  });
  const octets = packets * PAYLOAD - SHORT_OF;
  // A hole: it takes no room on the disk.
  await writeFile(join(desk.folder, 'long.data'), '');
  await truncate(join(desk.folder, 'long.data'), octets);
  const to = `--address ${ADDRESS}:${await findFreePort()}`;
  const watch = desk.start(`watch ${to} --card soft:my.card --out /dev/null --yes --json`);
  await watch.says('listening');
  const price = `0.${String(PRICE).padStart(6, '0')} USD/MB`;
  const how = `--format data --rate ${RATE} --grant ${LiveDesk.CARD} --json`;
  const send = desk.start(`headend send --source long.data ${to} ${how} --price`, price);
  const memory = { watch: sampleMemory(watch), send: sampleMemory(send) };
  const sent = JSON.parse(await send.ended) as Sent;
  const bill = JSON.parse(await watch.ended) as Charged;
  const rows = (['send', 'watch'] as const).flatMap((name) => {
    const { any, collected } = memory[name];
    const [first, last] = [findMedian(quarterOf(collected, 0)), findMedian(quarterOf(collected, 3))];
    const what = `memory of ${name === 'send' ? 'headend send' : 'watch'}`;
    return [
      { what: `${what}, the most`, figure: Math.max(...any) / 1e6, unit: 'MB' },
      { what: `${what}, collected, first quarter`, figure: first / 1e6, unit: 'MB' },
      { what: `${what}, collected, last quarter / first`, figure: last / first, unit: '', goal: { atMost: 1.1 } },
    ];
  });
  const owed = (BigInt(bill.paid) * PRICE + 999_999n) / 1_000_000n;
  const difference = BigInt(bill.charged) - owed;
  return {
    how:
      `tollcast headend send and tollcast watch with a soft card in a file, by multicast on loopback: ${packets.toLocaleString('en')} packets of ` +
      `${PAYLOAD.toLocaleString('en')} octets at ${RATE / 1e6} Mbit/s, sealed, n = 100, span 64, at ${price}; resident memory every ${SAMPLE_INTERVAL / 1000} s, ` +
      `as it is and after ` +
      `a collection of all garbage, medians of the quarters; the first ${WARM_UP / 1000} s aside, and with V8's young generation held at ${YOUNG} MB a half. ` +
      `The charge on the card is held against the octets of its groups times the price, rounded up once.`,
    rows: [
      { what: 'packets sent', figure: sent.packets, unit: '', goal: { atLeast: packets } },
      { what: 'octets sent and not paid', figure: sent.octets - bill.paid, unit: '', goal: { atMost: 0 } },
      { what: 'octets paid and not received', figure: bill.missing, unit: '', goal: { atMost: 0 } },
      { what: 'charge', figure: bill.charged, unit: 'micro-units' },
      {
        what: 'charge off the octets times the price',
        figure: Math.abs(Number(difference)),
        unit: 'micro-units',
        goal: { atMost: 0 },
      },
      ...rows,
    ],
  };
}

/** Resident memory of a process, octets, in the order of the looks. */
interface MemoryUse {
  /** As it came. */
  readonly any: number[];
  /** When all garbage was collected. */
  readonly collected: number[];
}

function sampleMemory({ process: child }: Command): MemoryUse {
  const use: MemoryUse = { any: [], collected: [] };
  const from = performance.now() + WARM_UP;
  let look: NodeJS.Timeout | undefined;
  const timer = setInterval(() => {
    if (performance.now() < from) return;
    use.any.push(readResident(child.pid));
    child.kill('SIGUSR2');
    look = setTimeout(() => use.collected.push(readResident(child.pid)), SETTLE);
  }, SAMPLE_INTERVAL);
  child.once('exit', () => {
    clearInterval(timer);
    clearTimeout(look);
  });
  return use;
}

function readResident(pid: number | undefined): number {
  return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? NaN);
}

function quarterOf(samples: readonly number[], quarter: number): readonly number[] {
  return samples.slice((samples.length * quarter) / 4, (samples.length * (quarter + 1)) / 4);
}
