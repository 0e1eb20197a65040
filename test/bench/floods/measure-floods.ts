import { randomBytes } from 'node:crypto';
import { combine } from '../../../apdu/decode-module/keys/combined-section.ts';
import { sealKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { startCard } from '../../../card-sim/index.ts';
import { personalise } from '../../support/streams/test-service.ts';
import type { Measurement, Row } from '../figures.ts';
import { makeScratchFolder } from '../left-behind.ts';
import { makeCard, WITHOUT_KOFFI } from '../paid-service.ts';
import { type Flood, type FloodFigures, RATE, runFlooded, type Watched } from './flooded-run.ts';
import {
  copyCardPacket,
  forgeAtRandom,
  forgeCardPackets,
  forgeNextGaps,
  forgePresentGaps,
  limitRate,
} from './forged-packets.ts';

/** Entries of a forged section: as many as fit. */
const ENTRIES = 48;
/** Datagrams a second of each kind from the genuine address and port. */
const SPOOFED = 100;
/** Micro-units. */
const CREDIT = 500_000_000n;

export interface FloodOptions {
  readonly card: 'soft' | 'pcsc';
  readonly withKoffi: boolean;
  /** Seconds of each flood. */
  readonly seconds: number;
}

/** Seconds of each flood, in a whole measurement and in a quick look. */
export const FLOOD_SECONDS = { whole: 5, quick: 2 } as const;

/** Delivery, loss and memory of `tollcast watch` in the floods that a stranger can send. */
export async function measureFloods(options: FloodOptions, only = ''): Promise<Measurement> {
  const folder = makeScratchFolder();
  await using pcsc = options.card === 'pcsc' ? await startCard({ kind: 'pcsc' }) : undefined;
  const card =
    pcsc === undefined ? await makeCard(folder, 1) : { address: pcsc.address, id: await personalise(pcsc, 1, CREDIT) };
  const watched: Watched = { card, folder, node: options.withKoffi ? [] : WITHOUT_KOFFI };
  const runs: (readonly [flood: Flood, figures: FloodFigures])[] = [];
  for (const flood of FLOODS) {
    if (!flood.what.includes(only)) continue;
    const figures = await runFlooded(flood, options.seconds, watched);
    runs.push([flood, figures]);
    if (process.env['TOLLCAST_BENCH_VERBOSE'] !== undefined) process.stderr.write(`${flood.what}\n${figures.said}\n`);
  }
  const rows = [...runs.map(([flood, figures]) => describe(flood, figures)), ...summarise(runs)];
  return {
    how:
      `tollcast watch of ${RATE / 1e6} Mbit/s, n = 100, span 64, ${options.card === 'soft' ? 'soft card' : 'jCardSim over PC/SC'}, ` +
      `${options.withKoffi ? 'with' : 'without'} koffi, by multicast on loopback, while forged datagrams come for ${options.seconds} s from another socket of this ` +
      `machine, or from the genuine one ("spoofed"): what came out of what was sent meanwhile, what was paid of it and did not come out, and how long ` +
      `it took to join, or to recover after the end of the flood. Memory: the most in any flood above the most without one.`,
    rows,
  };
}

/** Datagrams a second up to which nothing may be lost. */
const MAX_HARMLESS = 20_000;

function describe(flood: Flood, { perSecond, joinedAfter, delivered }: FloodFigures): Row {
  const what = perSecond === 0 ? flood.what : `${flood.what}, ${Math.round(perSecond)} a second`;
  if (flood.isJoined === true) {
    return { what: `${what}: joined`, figure: joinedAfter ?? Infinity, unit: 's', goal: { atMost: 2 } };
  }
  const isSpoofed = flood.media?.from === 'same source';
  const atLeast = isFast(flood) ? 90 : isSpoofed ? 99 : 99.9;
  return { what: `${what}: delivered`, figure: delivered, unit: '%', goal: { atLeast } };
}

/** The worst of all floods. */
function summarise(runs: readonly (readonly [flood: Flood, figures: FloodFigures])[]): Row[] {
  const [calm] = runs;
  if (calm === undefined) return [];
  const worst = (of: (figures: FloodFigures) => number, flooded = runs.slice(1)) =>
    Math.max(0, ...flooded.map(([, figures]) => of(figures)));
  const harmless = runs.filter(([flood]) => !isFast(flood));
  const lost = worst(({ paidAndLost }) => paidAndLost, harmless);
  const recovered = worst(({ recoveredAfter }) => recoveredAfter);
  const memory = worst((figures) => figures.memory - calm[1].memory);
  return [
    { what: 'paid and lost, in the worst flood up to 20,000 a second', figure: lost, unit: '%', goal: { atMost: 0 } },
    { what: 'recovered after the end, the slowest', figure: recovered, unit: 's', goal: { atMost: 2 } },
    { what: 'more memory than without a flood, the most', figure: memory, unit: 'MB', goal: { atMost: 64 } },
  ];
}

function isFast({ process: apart }: Flood): boolean {
  return (apart?.perSecond ?? 0) > MAX_HARMLESS;
}

/** Segment keys of the service under parents that nobody has. */
function forgeSection(): Uint8Array {
  const header = { kind: KIND.segment, service: 1, keyId: 1, parentKind: KIND.service, number: 0 } as const;
  const validity = { from: 0, to: 0xffff_ffff };
  return combine(
    Array.from({ length: ENTRIES }, (_, parentId) =>
      sealKeyMessage({ ...header, ...validity, parentId }, randomBytes(16), new Uint8Array(0), randomBytes(16)),
    ),
  );
}

const FLOODS: readonly Flood[] = [
  { what: 'no flood' },
  ...(['sealed', 'open'] as const).map((mode): Flood => {
    const what = `4 forged card packets ahead of each group, mode ${mode}`;
    return { what, mode, media: { from: 'another source', make: () => forgeCardPackets(4) } };
  }),
  {
    what: '20 forged card packets ahead of each group',
    media: { from: 'another source', make: () => forgeCardPackets(20) },
  },
  ...[1000, 2000, 20_000, 100_000].map((perSecond): Flood => {
    return {
      what: 'genuine SSRC, random MKI and sequence number',
      process: { port: 'media', perSecond, kind: 'packet' },
    };
  }),
  {
    what: 'gap packets of the next group, 3 for each index',
    media: { from: 'another source', make: () => forgeNextGaps(3) },
  },
  {
    what: 'gap packets of this group, 2 for each index',
    media: { from: 'another source', make: () => forgePresentGaps(2) },
  },
  {
    what: 'the card packet copied, with gap packets that do not open',
    media: { from: 'another source', make: () => copyCardPacket },
  },
  ...[20_000, 100_000].map((perSecond): Flood => {
    return { what: 'any UDP', process: { port: 'media', perSecond, kind: 'octets' } };
  }),
  ...(['keys', 'rtcp'] as const).map((port): Flood => {
    return { what: `any UDP to the port of ${port}`, process: { port, perSecond: 20_000, kind: 'octets' } };
  }),
  {
    what: 'sections of 48 foreign entries across a change of keys',
    // The shortest period; its next key is announced 7 s ahead.
    period: 20,
    calmBefore: 11.5,
    lasts: 10,
    process: { port: 'keys', perSecond: 2000, kind: 'section', datagram: forgeSection() },
  },
  ...(
    [
      ['card packets', () => forgeCardPackets(1000)],
      ['random MKI and sequence number', () => forgeAtRandom],
      ['gap packets of the next group', () => forgeNextGaps(3)],
      ['gap packets of this group', () => forgePresentGaps(2)],
    ] as const
  ).map(([what, make]): Flood => ({
    what: `spoofed ${what}`,
    media: { from: 'same source', make: () => limitRate(make(), SPOOFED) },
  })),
  {
    what: 'joining under random RTP',
    isJoined: true,
    process: { port: 'media', perSecond: 2000, kind: 'rtp' },
  },
  {
    what: 'joining under any UDP',
    isJoined: true,
    process: { port: 'media', perSecond: 20_000, kind: 'octets' },
  },
  {
    what: 'joining under genuine SSRC, random MKI and sequence number',
    isJoined: true,
    process: { port: 'media', perSecond: 20_000, kind: 'packet' },
  },
  {
    what: 'joining under sections of 48 foreign entries',
    isJoined: true,
    process: { port: 'keys', perSecond: 2000, kind: 'section', datagram: forgeSection() },
  },
];
