import type { Tariff } from '../../../apdu/decode-module/money/tariff.ts';
import type { CardProfile } from '../../../host/card-bench/card-profile.ts';
import type { RoundTrips } from '../../../host/card-bench/card-speed.ts';
import { computeMinEvery } from '../../../host/card-bench/min-every.ts';
import applet from './applet-instructions.json' with { type: 'json' };
import {
  computeBytecodeTime,
  type Chip,
  CHIPS,
  type Command,
  computeCommandTime,
  CONTENT_PERIOD,
  type DecodePath,
  computeDecodesPerSecond,
  computeDecodeWork,
  computeEngineTime,
  computeInstructionTime,
  LINKS,
  computeLinkTime,
  computeWear,
  WORK,
} from './card-cost.ts';
import { LARGEST_WRITE, RAM_OCTETS, RAM_TABLE, ramOf } from './card-memory.ts';

/** The tables of `firmware-notes/real-cards.md`, each between `<!-- table NAME -->` and `<!-- end -->`. */

const SPANS = [16, 32, 64, 208];
const RATES = [2, 5, 20];
const CONTACT = LINKS.find(({ name }) => name === 'TA1 96')!;
const MARKER = /(<!-- table (\w+) -->\n)[^]*?(<!-- end -->)/g;

type Cell = string | number;

function table(head: readonly Cell[], rows: readonly (readonly Cell[])[]): string {
  const line = (cells: readonly Cell[]) => `| ${cells.join(' | ')} |\n`;
  return line(head) + line(head.map((_, column) => (column === 0 ? '---' : '--:'))) + rows.map(line).join('');
}

/** Two digits that count: more would claim what an estimate does not know. */
function rough(value: number): string {
  if (value === 0) return '0';
  return value >= 10 ? Math.round(value).toLocaleString('en') : value.toPrecision(2);
}

function milliseconds(microseconds: number): string {
  return rough(microseconds / 1000);
}

function ram(): string {
  const rows = RAM_TABLE.map(({ what, octets, kind }) => [
    what,
    kind === 'reset' ? octets : '',
    kind === 'reset' ? '' : octets,
  ]);
  const sums = [`**${ramOf('reset')}**`, `**${ramOf('deselect')}**`];
  return table(
    ['transient memory, octets', 'clear-on-reset', 'clear-on-deselect'],
    [...rows, ['**together**', ...sums]],
  );
}

function room(): string {
  return table(
    ['chip', 'RAM', 'left beside the applet', 'commit', 'largest write'],
    CHIPS.map((chip) => [chip.name, chip.ram, chip.ram - RAM_OCTETS, chip.commit, LARGEST_WRITE]),
  );
}

const PATHS: readonly (readonly [Command, string])[] = [
  ['decodeFree', 'DECODE, free'],
  ['decodeSame', 'DECODE, units and price as in the group before'],
  ['decodeOctets', 'DECODE, other octets than in the group before'],
  ['decodeDuration', 'DECODE, another duration than in the group before'],
  ['decodeTake', 'DECODE with a take'],
  ['segmentKey', 'LOAD KEY, segment key'],
  ['contentKey', 'LOAD KEY, content key'],
  ['startLoad', 'START LOAD'],
  ['load', 'LOAD CREDIT'],
];

function instructions(): string {
  return table(
    ['command', 'instructions', 'calls of the API', ...CHIPS.map(({ name }) => `${name}, ms`)],
    PATHS.map(([command, what]) => [
      what,
      applet[command].instructions,
      applet[command].calls,
      ...CHIPS.map((chip) => milliseconds(computeBytecodeTime(chip, command))),
    ]),
  );
}

function parts(): string {
  const work = computeDecodeWork(64);
  return table(
    ['chip', 'instruction, us', 'link at TA1 96, ms', 'ciphers, ms', 'bytecode, ms', 'together, ms', 'a second'],
    CHIPS.map((chip) => [
      chip.name,
      rough(computeInstructionTime(chip)),
      milliseconds(computeLinkTime(CONTACT, work.up, work.down)),
      milliseconds(computeEngineTime(chip, work)),
      milliseconds(computeBytecodeTime(chip, 'decodeSame')),
      milliseconds(computeCommandTime(chip, CONTACT, 'decodeSame', work)),
      rough(computeDecodesPerSecond(chip, CONTACT, 64)),
    ]),
  );
}

function decodes(): string {
  return table(
    ['chip', 'span', ...LINKS.map(({ name }) => name)],
    CHIPS.flatMap((chip) =>
      SPANS.map((span) => [chip.name, span, ...LINKS.map((link) => rough(computeDecodesPerSecond(chip, link, span)))]),
    ),
  );
}

function paths(): string {
  const columns: readonly (readonly [DecodePath, string])[] = [
    ['decodeFree', 'free'],
    ['decodeSame', 'same units'],
    ['decodeOctets', 'other units'],
    ['decodeTake', 'take'],
  ];
  return table(
    ['chip', ...columns.map(([, name]) => name)],
    CHIPS.map((chip) => [
      chip.name,
      ...columns.map(([path]) => rough(computeDecodesPerSecond(chip, CONTACT, 64, path))),
    ]),
  );
}

function every(): string {
  return table(
    ['chip', 'span', ...RATES.map((rate) => `${rate} Mbit/s`), `${RATES.at(-1)} Mbit/s, twice the time`],
    CHIPS.flatMap((chip) =>
      SPANS.map((span) => [
        chip.name,
        span,
        ...RATES.map((rate) => minEveryOfLinks(chip, span, rate)),
        minEveryOfLinks(chip, span, RATES.at(-1)!, 2),
      ]),
    ),
  );
}

/** Least n on three links for a card that may take `times` as long as it needs. */
function minEveryOfLinks(chip: Chip, span: number, rate: number, times = 1): string {
  return ['TA1 18', 'TA1 97', '848k']
    .map((name) => LINKS.find((link) => link.name === name)!)
    .map((link) => computeMinEvery(rate * 1e6, computeDecodesPerSecond(chip, link, span) / times) ?? 'none')
    .join(' / ');
}

const TARIFFS: readonly (readonly [string, Tariff])[] = [
  ['$0.25/MB', { kind: 'octets', price: 250_000n }],
  ['$2.00/h', { kind: 'duration', price: 2_000_000n }],
  ['subscription', { kind: 'free', price: 0n }],
];

function wearAnHour(): string {
  return table(
    [
      'tariff, 5 Mbit/s',
      'records an hour',
      'content keys an hour',
      'inits an hour',
      'years of a record cell',
      'a cut costs less than, micro-units',
    ],
    TARIFFS.map(([name, tariff]) => {
      const { records, contentKeys, inits, cut, recordYears } = computeWear(5e6, tariff);
      const years = recordYears === undefined ? 'no writes' : rough(recordYears);
      return [name, rough(records), contentKeys, inits, years, cut.toLocaleString('en')];
    }),
  );
}

function keyPeriods(): string {
  return table(
    ['content period, s', 'inits an hour', 'years, a cell for each object', 'years, one cell for all'],
    [10, 60, CONTENT_PERIOD, 900].map((period) => {
      const { inits, initYears } = computeWear(5e6, TARIFFS[2]![1], period);
      return [period, rough(inits), rough(initYears.apart), rough(initYears.together)];
    }),
  );
}

function apdus(): string {
  const time = (commands: readonly (keyof typeof WORK)[]) =>
    CHIPS.map((chip) =>
      milliseconds(commands.reduce((sum, name) => sum + computeCommandTime(chip, CONTACT, name, WORK[name]), 0)),
    );
  return table(
    ['what', 'APDUs', ...CHIPS.map(({ name }) => `${name}, ms`)],
    [
      ['next content key', 1, ...time(['contentKey'])],
      ['next slot: segment key and content key', 2, ...time(['segmentKey', 'contentKey'])],
      ['load: START LOAD, LOAD CREDIT (after SELECT)', 2, ...time(['startLoad', 'load'])],
    ],
  );
}

/** Chips with the applet on them, as `tollcast card bench` timed them; ms are medians. */
function measured(profiles: readonly CardProfile[]): string {
  const median = (times: RoundTrips | null) => (times === null ? '' : rough(times.median));
  return table(
    [
      'chip',
      'by',
      '5-octet command, ms',
      'START LOAD, ms',
      'LOAD KEY, ms',
      ...SPANS.map((span) => `DECODE span ${span}, ms`),
      'take, ms',
      'not measured',
    ],
    profiles.map((profile) => [
      profile.name,
      profile.transport,
      median(profile.roundTrip),
      median(profile.startLoad),
      median(profile.loadKey),
      ...SPANS.map((span) => median(profile.decode.find((one) => one.span === span) ?? null)),
      median(profile.take),
      [...new Set(profile.undone.map(({ code }) => code))].join(' '),
    ]),
  );
}

const TABLES: Readonly<Record<string, (profiles: readonly CardProfile[]) => string>> = {
  ram,
  room,
  instructions,
  parts,
  decodes,
  paths,
  every,
  wearAnHour,
  keyPeriods,
  apdus,
  measured,
};

/**
 * The page with every table as it is computed now.
 * @param profiles of chips that were measured.
 * @throws Error when the page names a table that there is not, or lacks one.
 */
export function withTables(page: string, profiles: readonly CardProfile[]): string {
  const found = [...page.matchAll(MARKER)].map(([, , name]) => name!);
  const missing = Object.keys(TABLES).filter((name) => !found.includes(name));
  const unknown = found.filter((name) => TABLES[name] === undefined);
  if (missing.length + unknown.length > 0) {
    throw new Error(`tables that the page lacks: ${missing.join(' ')}; that there are not: ${unknown.join(' ')}`);
  }
  return page.replaceAll(
    MARKER,
    (_, start: string, name: string, end: string) => start + TABLES[name]!(profiles) + end,
  );
}
