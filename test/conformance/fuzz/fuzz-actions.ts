import fc from 'fast-check';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import type { SecurityLevel } from '../../../apdu/secure-channel/security-level.ts';
import { type HolderCommand, holderCommand } from './fuzz-holder.ts';
import { type OwnPair, ownPair, type PairCommand, pairCommand, pairedOpening } from './fuzz-key-pairs.ts';

/**
 * What a host may do to a card: a command that means something, or the reader's hand. Plain values, so that a failure
 * can be read and shrunk.
 */
export type Action = Reset | Cut | Inside | OwnPair | Command | Spoilt;

export interface Reset {
  readonly do: 'reset';
}

/** The power fails in a command, before it writes anything or when it has done all but answer. */
export interface Cut {
  readonly do: 'cut before' | 'cut after';
  readonly what: Command;
}

/** A command through a secure channel of its own, which stays open behind it. */
export interface Inside {
  readonly do: 'inside';
  readonly level: SecurityLevel;
  readonly what: Command | Spoilt | { readonly do: 'status'; readonly state: number } | { readonly do: 'same keys' };
  /** Bits turned over in an octet of what goes over the wire; 0 for none. */
  readonly bits: number;
}

/**
 * A command damaged on its way; changed by someone who has the key and signs it again (`odd`); cut short or grown; or
 * its beginning with the end of another.
 */
export interface Spoilt {
  readonly do: 'damaged' | 'odd' | 'resized' | 'spliced';
  readonly what: Command;
  readonly with: Command;
  readonly at: number;
  readonly bits: number;
}

export type Command =
  | HolderCommand
  | PairCommand
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
  | {
      readonly do: 'any';
      readonly cla: number;
      readonly ins: number;
      readonly p: number;
      readonly length: number;
      readonly le: number;
    };

export interface Store {
  readonly do: 'store';
  readonly group: 'profile' | 'strict profile' | 'keys' | 'limits' | 'pin' | 'head-end' | 'no head-end';
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
  readonly rating: number;
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
  readonly packets: number;
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
function favour<T>(usual: T, ...others: T[]): fc.Arbitrary<T> {
  return fc.oneof({ weight: 5, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) });
}

const service = favour(7, 8);
/** Of most keys: more than a day after START. */
const LAST = 100_000;
const NEXT_DAY = 86_400;
const validity = { from: favour(0, 100, 150), to: favour(LAST, 200, 300) };
const credit = fc.constantFrom(0, 1, 300, 1000, 600_000, 10_000_000, 50_000_000, 100_000_000, 2 ** 48 - 1);
const quantum = fc.constantFrom(1, 50, 1000, 250_000, 250_000, 2 ** 39 - 1);
/** Small sums, and sums at the edge of a quantum, of the purse, of 64 bits. */
const price = fc.constantFrom(0, 1, 250_000, 250_000, 999_999, 1_000_000, 3_600_000, 10_000_000, 0xffffffff);
const units = fc.constantFrom(0, 1, 7, 1000, 13_160, 13_160, 999_999, 1_000_000, 1_500_001, 0xffffff);

const makeSimple = (name: 'select' | 'close' | 'list' | 'more' | 'purse' | 'start'): fc.Arbitrary<Command> =>
  fc.constant({ do: name });

const store: fc.Arbitrary<Store> = fc.record({
  do: fc.constant('store'),
  group: fc.constantFrom('profile', 'strict profile', 'keys', 'limits', 'pin', 'head-end', 'head-end', 'no head-end'),
  last: fc.boolean(),
});

const serviceKey: fc.Arbitrary<Service> = fc.record({
  do: fc.constant('service'),
  service,
  id: favour(1, 2, 3),
  ...validity,
  parent: fc.constant(0),
  number: fc.oneof(fc.nat({ max: 6 }), fc.nat({ max: 70 })),
  quantum,
  dear: fc.boolean(),
});

const segmentKey: fc.Arbitrary<Segment> = fc.record({
  do: fc.constant('segment'),
  service,
  id: favour(100, 101, 102, 103, 104, 105),
  ...validity,
  parent: favour(1, 2),
});

const contentKey: fc.Arbitrary<Content> = fc.record({
  do: fc.constant('content'),
  service,
  id: favour(5000, 5001, 5002),
  ...validity,
  parent: favour(100, 101, 102),
  tariff: fc.nat({ max: 3 }),
  price,
  direct: fc.boolean(),
  classes: favour(3, 0, 1, 2),
  segment: fc.constantFrom(100, 101),
  rating: favour(0, 12, 18),
  pair: favour(0, 1, 2),
});

const decode: fc.Arbitrary<Decode> = fc.record({
  do: fc.constant('decode'),
  service,
  id: favour(5000, 5001, 5002),
  stream: favour(0, 1, 2, 3, 4, 5),
  ahead: favour(0, -1, -2, -5, -20, 2),
  packets: favour(10, 1, 1024, 1025, 2000),
  octets: units,
  duration: units,
  at: favour(50, 0, 150, 250, NEXT_DAY - 1, NEXT_DAY, LAST - 1, LAST),
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
  { weight: 1, arbitrary: makeSimple('select') },
  {
    weight: 6,
    arbitrary: fc.oneof(
      makeSimple('close'),
      makeSimple('list'),
      makeSimple('more'),
      makeSimple('purse'),
      makeSimple('start'),
    ),
  },
  { weight: 1, arbitrary: store },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('open'), service: favour(7, 8, 0) }) },
  { weight: 2, arbitrary: serviceKey },
  { weight: 3, arbitrary: segmentKey },
  { weight: 8, arbitrary: contentKey },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('delete'),
      kind: fc.constantFrom(0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x16, 0x01, 0x02),
      service,
      id: fc.constantFrom(1, 2, 6, 100, 101, 200, 300, 400, 400, 401, 5000, 5001),
    }),
  },
  { weight: 30, arbitrary: decode },
  { weight: 14, arbitrary: holderCommand },
  { weight: 4, arbitrary: pairCommand },
  { weight: 5, arbitrary: load },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('receipt'), number: fc.integer({ min: -1, max: 6 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('acknowledge'), upTo: fc.nat({ max: 5 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('any'),
      cla: favour(0x80, 0x00, 0x90, 0x01, 0x82, 0x86, 0x91),
      ins: fc.oneof(
        fc.constantFrom(...Object.values(INS).filter((ins) => ins !== INS.SELECT && ins !== INS.GET_DATA)),
        fc.nat({ max: 0x5f }),
      ),
      p: favour(0, 1, 0x80),
      length: fc.constantFrom(0, 0, 1, 4, 9, 32, 56, 64, 255),
      le: fc.constantFrom(0, 1, 4, 48, 255, 256),
    }),
  },
);

const spoilt: fc.Arbitrary<Spoilt> = fc.record({
  do: fc.constantFrom('damaged', 'odd', 'odd', 'resized', 'spliced'),
  what: command.filter((what) => what.do !== 'select'),
  with: command.filter((what) => what.do !== 'select'),
  at: fc.nat({ max: 260 }),
  bits: fc.integer({ min: 1, max: 255 }),
});

const inside: fc.Arbitrary<Inside> = fc.record({
  do: fc.constant('inside'),
  level: favour<SecurityLevel>(0x13, 0x01, 0x03, 0x11),
  what: fc.oneof(
    { weight: 4, arbitrary: command.filter(isForChannel) },
    { weight: 1, arbitrary: spoilt.filter(({ what }) => isForChannel(what)) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('status'), state: favour(0x03, 0x07, 0x07, 0x0f, 0x01) }),
    },
    { weight: 1, arbitrary: fc.constant({ do: 'same keys' } as const) },
  ),
  bits: favour(0, 1, 0x80),
});

/** Whether the host side of the channel wraps it: what has class 80 and is not the channel's own. */
function isForChannel(what: Command): boolean {
  return what.do !== 'select' && what.do !== 'more' && what.do !== 'any' && what.do !== 'store';
}

/** Back to where something plays: after a reset or a cut there is little else to see. */
const RESTART: readonly Command[] = [
  { do: 'select' },
  { do: 'verify', pin: 0 },
  { do: 'segment', service: 7, id: 100, from: 0, to: LAST, parent: 1 },
];

/** Selects, loads keys with some price, opens the session. */
const restart: fc.Arbitrary<readonly Command[]> = fc
  .record({ tariff: favour(1, 2, 3, 0), price: favour(250_000, 1, 1_000_000) })
  .map((terms) => [
    ...RESTART,
    {
      do: 'content',
      service: 7,
      id: 5000,
      from: 0,
      to: LAST,
      parent: 100,
      direct: false,
      classes: 3,
      segment: 100,
      rating: 0,
      pair: 0,
      ...terms,
    },
    { do: 'open', service: 7 },
  ]);

/** In one of twenty nothing is selected afterwards. */
const hand: fc.Arbitrary<readonly Action[]> = fc
  .record({
    name: fc.constantFrom('reset', 'cut before', 'cut after'),
    what: command.filter(({ do: name }) => name !== 'store'),
    again: restart,
    bare: fc.nat({ max: 19 }),
  })
  .map(({ name, what, again, bare }) => [
    name === 'reset' ? { do: name } : { do: name, what },
    ...(bare === 0 ? [] : again),
  ]);

/** Some groups that most likely open; now and then with keys and a session first. */
const watching: fc.Arbitrary<readonly Action[]> = fc
  .record({
    again: restart,
    tune: fc.boolean(),
    pair: fc.constantFrom(0, 0, 1, 2),
    at: favour(50, NEXT_DAY + 50),
    groups: fc.array(fc.tuple(decode, fc.constantFrom(7, 1000, 13_160, 250_000), fc.nat({ max: 1 })), { maxLength: 6 }),
  })
  .map(({ again, tune, pair, at, groups }) => [
    ...(tune ? again.slice(1).map((what) => (what.do === 'content' ? { ...what, pair } : what)) : []),
    ...groups.map(([group, each, stream]) => ({
      ...group,
      service: 7,
      id: 5000,
      stream: 2 * pair + stream,
      ahead: 0,
      octets: each,
      duration: each % 60_000,
      at,
    })),
  ]);

/** One service bought anew, and back to where it plays. */
const renewal: fc.Arbitrary<readonly Action[]> = fc
  .record({ key: serviceKey, again: restart })
  .map(({ key, again }) => [{ ...key, service: 7, id: 1, from: 0, to: LAST }, ...again]);

/** Limits and a PIN. */
const HOLDER: readonly Command[] = [
  { do: 'store', group: 'limits', last: false },
  { do: 'store', group: 'pin', last: false },
];

const HEAD_END_POINT: Command = { do: 'store', group: 'head-end', last: false };

/** A personalised card with some credit, a purchase and keys. */
const opening: fc.Arbitrary<readonly Action[]> = fc
  .record({
    strict: favour(false, true),
    holder: fc.constantFrom<readonly Command[]>([], [], HOLDER),
    credit: fc.oneof(credit, fc.constant(50_000_000)),
    quantum,
    dear: fc.boolean(),
    paired: fc.boolean(),
    again: restart,
  })
  .map(({ strict, holder, credit: amount, quantum: each, dear, paired, again }) => [
    { do: 'select' },
    ...holder,
    { do: 'store', group: strict ? 'strict profile' : 'profile', last: false },
    { do: 'store', group: 'keys', last: true },
    { do: 'load', number: 1, amount, id: 0 },
    { do: 'service', service: 7, id: 1, from: 0, to: LAST, parent: 0, number: 1, quantum: each, dear },
    ...(paired ? [HEAD_END_POINT, ...pairedOpening] : []),
    ...again,
  ]);

const actions: fc.Arbitrary<readonly Action[]> = fc
  .array(
    fc.oneof(
      { weight: 80, arbitrary: command.map((what) => [what]) },
      { weight: 10, arbitrary: spoilt.map((what) => [what]) },
      { weight: 2, arbitrary: inside.map((what) => [what]) },
      { weight: 3, arbitrary: ownPair.map((what) => [what]) },
      { weight: 12, arbitrary: watching },
      { weight: 2, arbitrary: hand },
      { weight: 1, arbitrary: renewal },
    ),
    { minLength: 1, maxLength: 120, size: 'max' },
  )
  .map((rows) => rows.flat());

/** The life of a card from its first command on. */
export const life: fc.Arbitrary<readonly Action[]> = fc.oneof(
  { weight: 1, arbitrary: actions.map((rest) => [{ do: 'select' } as const, ...rest]) },
  { weight: 25, arbitrary: fc.tuple(opening, actions).map(([first, rest]) => [...first, ...rest]) },
);
