import fc from 'fast-check';
import { INS } from '../../apdu/decode-module/instruction.ts';

/**
 * What a host may do to a card: a command that means something, or the reader's hand. Plain values, so that a failure can be read and shrunk.
 */
export type Action = Hand | Command | Spoilt;

export interface Hand {
  readonly do: 'reset' | 'cut before' | 'cut after';
}

/** A command damaged on its way, or (`odd`) changed by someone who has the key and signs it again. */
export interface Spoilt {
  readonly do: 'damaged' | 'odd';
  readonly what: Command;
  readonly at: number;
  readonly bits: number;
}

export type Command =
  | { readonly do: 'select' | 'close' | 'list' | 'more' | 'purse' | 'start' }
  | Store
  | { readonly do: 'open'; readonly service: number }
  | Service
  | Segment
  | Content
  | { readonly do: 'delete'; readonly kind: number; readonly service: number; readonly id: number }
  | Decode
  | Load
  | { readonly do: 'receipt'; readonly number: number }
  | { readonly do: 'acknowledge'; readonly upTo: number }
  | { readonly do: 'any'; readonly cla: number; readonly ins: number; readonly p: number; readonly length: number };

export interface Store {
  readonly do: 'store';
  readonly group: 'profile' | 'strict profile' | 'keys';
  readonly last: boolean;
}

interface KeyFields {
  readonly service: number;
  readonly id: number;
  /** Seconds after START. */
  readonly from: number;
  readonly to: number;
  readonly parent: number;
}

export interface Service extends KeyFields {
  readonly do: 'service';
  readonly number: number;
  readonly quantum: number;
  readonly dear: boolean;
}

export interface Segment extends KeyFields {
  readonly do: 'segment';
}

export interface Content extends KeyFields {
  readonly do: 'content';
  readonly tariff: number;
  readonly price: number;
  readonly direct: boolean;
  readonly classes: number;
  readonly segment: number;
  /** Streams 2n and 2n + 1. */
  readonly pair: number;
}

export interface Decode {
  readonly do: 'decode';
  readonly service: number;
  readonly id: number;
  readonly stream: number;
  /** Group number over what the position in the row would give. */
  readonly ahead: number;
  readonly octets: number;
  readonly duration: number;
  /** Media time, seconds after START. */
  readonly at: number;
  readonly blocks: number;
  readonly open: boolean;
}

export interface Load {
  readonly do: 'load';
  readonly number: number;
  readonly amount: number;
  readonly id: number;
}

/** A value that comes up most of the time, or one of the others. */
function mostly<T>(usual: T, ...others: T[]): fc.Arbitrary<T> {
  return fc.oneof({ weight: 5, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) });
}

const service = mostly(7, 8);
const validity = { from: mostly(0, 100, 150), to: mostly(1000, 200, 300) };
const credit = fc.constantFrom(0, 1, 300, 1000, 600_000, 10_000_000, 50_000_000, 100_000_000, 2 ** 48 - 1);
const quantum = fc.constantFrom(1, 50, 1000, 250_000, 250_000, 2 ** 39 - 1);
/** Small sums, and sums at the edge of a quantum, of the purse, of 64 bits. */
const price = fc.constantFrom(0, 1, 250_000, 250_000, 999_999, 1_000_000, 3_600_000, 10_000_000, 0xffffffff);
const units = fc.constantFrom(0, 1, 7, 1000, 13_160, 13_160, 999_999, 1_000_000, 1_500_001, 0xffffff);

const one = (name: 'select' | 'close' | 'list' | 'more' | 'purse' | 'start'): fc.Arbitrary<Command> =>
  fc.constant({ do: name });

const store: fc.Arbitrary<Store> = fc.record({
  do: fc.constant('store'),
  group: fc.constantFrom('profile', 'strict profile', 'keys'),
  last: fc.boolean(),
});

const serviceKey: fc.Arbitrary<Service> = fc.record({
  do: fc.constant('service'),
  service,
  id: mostly(1, 2, 3),
  ...validity,
  parent: fc.constant(0),
  number: fc.oneof(fc.nat({ max: 6 }), fc.nat({ max: 70 })),
  quantum,
  dear: fc.boolean(),
});

const segmentKey: fc.Arbitrary<Segment> = fc.record({
  do: fc.constant('segment'),
  service,
  id: mostly(100, 101, 102, 103, 104, 105),
  ...validity,
  parent: mostly(1, 2),
});

const contentKey: fc.Arbitrary<Content> = fc.record({
  do: fc.constant('content'),
  service,
  id: mostly(5000, 5001, 5002),
  ...validity,
  parent: mostly(100, 101, 102),
  tariff: fc.nat({ max: 3 }),
  price,
  direct: fc.boolean(),
  classes: mostly(3, 0, 1, 2),
  segment: fc.constantFrom(100, 101),
  pair: mostly(0, 1, 2),
});

const decode: fc.Arbitrary<Decode> = fc.record({
  do: fc.constant('decode'),
  service,
  id: mostly(5000, 5001, 5002),
  stream: mostly(0, 1, 2, 3, 4, 5),
  ahead: mostly(0, -1, -2, -3, 2),
  octets: units,
  duration: units,
  at: mostly(50, 0, 150, 250, 999, 1000),
  blocks: fc.integer({ min: 1, max: 13 }),
  open: fc.boolean(),
});

const load: fc.Arbitrary<Load> = fc.record({
  do: fc.constant('load'),
  number: fc.nat({ max: 4 }),
  amount: credit,
  id: fc.nat({ max: 1 }),
});

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 1, arbitrary: one('select') },
  { weight: 6, arbitrary: fc.oneof(one('close'), one('list'), one('more'), one('purse'), one('start')) },
  { weight: 1, arbitrary: store },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('open'), service: mostly(7, 8, 0) }) },
  { weight: 2, arbitrary: serviceKey },
  { weight: 3, arbitrary: segmentKey },
  { weight: 8, arbitrary: contentKey },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('delete'),
      kind: fc.constantFrom(0x10, 0x11, 0x12, 0x01),
      service,
      id: fc.constantFrom(1, 2, 100, 101, 5000, 5001),
    }),
  },
  { weight: 30, arbitrary: decode },
  { weight: 3, arbitrary: load },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('receipt'), number: fc.integer({ min: -1, max: 6 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('acknowledge'), upTo: fc.nat({ max: 5 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('any'),
      cla: mostly(0x80, 0x00, 0x90),
      ins: fc.oneof(fc.constantFrom(...Object.values(INS).filter((ins) => ins !== INS.SELECT)), fc.nat({ max: 0x5f })),
      p: mostly(0, 1, 0x80),
      length: fc.constantFrom(0, 0, 1, 4, 9, 32, 56, 64, 255),
    }),
  },
);

const spoilt: fc.Arbitrary<Spoilt> = fc.record({
  do: fc.constantFrom('damaged', 'odd', 'odd'),
  what: command.filter((what) => what.do !== 'select'),
  at: fc.nat({ max: 260 }),
  bits: fc.integer({ min: 1, max: 255 }),
});

/** Back to where something plays: after a reset or a cut there is little else to see. */
const RESTART: readonly Command[] = [
  { do: 'select' },
  { do: 'segment', service: 7, id: 100, from: 0, to: 1000, parent: 1 },
];

/** Selects, loads keys with some price, opens the session. */
const restart: fc.Arbitrary<readonly Command[]> = fc
  .record({ tariff: mostly(1, 2, 3, 0), price: mostly(250_000, 1, 1_000_000) })
  .map((terms) => [
    ...RESTART,
    {
      do: 'content',
      service: 7,
      id: 5000,
      from: 0,
      to: 1000,
      parent: 100,
      direct: false,
      classes: 3,
      segment: 100,
      pair: 0,
      ...terms,
    },
    { do: 'open', service: 7 },
  ]);

const hand: fc.Arbitrary<readonly Action[]> = fc
  .tuple(fc.constantFrom<Hand['do'][]>('reset', 'cut before', 'cut after'), restart, mostly(true, false))
  .map(([name, again, whole]) => [{ do: name }, ...(whole ? again : [])]);

/** A personalised card with some credit, a purchase and keys. */
const opening: fc.Arbitrary<readonly Action[]> = fc
  .record({ strict: fc.boolean(), credit, quantum, dear: fc.boolean(), again: restart })
  .map(({ strict, credit: amount, quantum: each, dear, again }) => [
    { do: 'select' },
    { do: 'store', group: strict ? 'strict profile' : 'profile', last: false },
    { do: 'store', group: 'keys', last: true },
    { do: 'load', number: 1, amount, id: 0 },
    { do: 'service', service: 7, id: 1, from: 0, to: 1000, parent: 0, number: 1, quantum: each, dear },
    ...again,
  ]);

const actions: fc.Arbitrary<readonly Action[]> = fc
  .array(
    fc.oneof(
      { weight: 40, arbitrary: command.map((what) => [what]) },
      { weight: 5, arbitrary: spoilt.map((what) => [what]) },
      { weight: 2, arbitrary: hand },
    ),
    { minLength: 1, maxLength: 120, size: 'max' },
  )
  .map((rows) => rows.flat());

/** The life of a card from its first command on. */
export const life: fc.Arbitrary<readonly Action[]> = fc.oneof(
  { weight: 1, arbitrary: actions.map((rest) => [{ do: 'select' } as const, ...rest]) },
  { weight: 15, arbitrary: fc.tuple(opening, actions).map(([first, rest]) => [...first, ...rest]) },
);
