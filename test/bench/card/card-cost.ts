import { amountOf, type Tariff, ticksOf } from '../../../apdu/decode-module/money/tariff.ts';
import { FULL_PAYLOAD } from '../../../host/card-bench/min-every.ts';
import { chooseQuantum } from '../../../host/headend/keys/grants/quantum.ts';
import applet from './applet-instructions.json' with { type: 'json' };
import figures from './real-cards.json' with { type: 'json' };

/**
 * What the applet costs on chips that nobody here has measured it on: computed from figures that others have measured.
 */

export type Chip = (typeof figures.chips)[number];
export type Link = (typeof figures.links)[number];
/** A command of `applet-instructions.json`. */
export type Command = keyof typeof applet;

export const CHIPS: readonly Chip[] = figures.chips;
export const LINKS: readonly Link[] = figures.links;

/** Hz of a contact card's clock. */
const CLOCK = 3_571_400;
/** Octets of information in a T=1 or ISO/IEC 14443-4 block. */
const BLOCK_OCTETS = 254;
/** Java Card instructions of an unrolled `a[i] ^= a[j]` on fields, which is how an octet's XOR was measured. */
const XOR_INSTRUCTIONS = 10;
/** What a call of the API costs beside its instruction, in the same: an assumption. */
const CALL_INSTRUCTIONS = 10;
/** Writes that a cell of EEPROM or flash is said to endure. */
const ENDURANCE = 500_000;
const RECORD_PLACES = 64;
const HOURS_A_YEAR = 8 * 365;
const SECONDS_AN_HOUR = 3600;
/** Of a group of 100 full packets, the head-end's default. */
const GROUP_OCTETS = 100 * FULL_PAYLOAD;
/** Seconds of a content key, the head-end's default. */
export const CONTENT_PERIOD = 300;

/**
 * What a command asks of ciphers, keys and memory, as the applet has it: `test/integration/card/card-cost.test.ts`
 * holds it against the applet.
 */
export interface Work {
  /** Octets of the data sent, and of the data answered. */
  readonly up: number;
  readonly down: number;
  /** Blocks of each CBC or CBC-MAC call. */
  readonly cbc: readonly number[];
  /** Cipher.init and Signature.init. */
  readonly inits: number;
  /** Keys set; clearing is not counted in time. */
  readonly keys: number;
  readonly digests: number;
  /** Atomic writes of a record. */
  readonly records: number;
}

const NOTHING = { inits: 0, keys: 0, digests: 0, records: 0 };
/** A key message: its tag, the wrapped key, the two keys made of it. */
const UNWRAP = { down: 0, inits: 2, keys: 2, digests: 1, records: 0 };

export const WORK = {
  segmentKey: { ...UNWRAP, up: 56, cbc: [3, 1] },
  /** Two more inits: the place's Cipher and Signature. */
  contentKey: { ...UNWRAP, up: 104, cbc: [6, 1], inits: 4 },
  startLoad: { ...NOTHING, up: 0, down: 80, cbc: [4], inits: 1 },
  load: { ...NOTHING, up: 64, down: 64, cbc: [3, 3], inits: 2, records: 1 },
} satisfies Partial<Record<Command, Work>>;

/** DECODE of a span in mode sealed: the MAC over header and span, then the span. */
export function computeDecodeWork(span: number, records = 0): Work {
  const blocks = span / 16;
  return { ...NOTHING, up: 40 + span, down: span, cbc: [2 + blocks, blocks], records };
}

/** Microseconds of a command and its answer on a link. */
export function computeLinkTime(link: Link, up: number, down: number): number {
  // A header of 5 octets, Le where there are data; the status word.
  const sent = 5 + up + (up === 0 ? 0 : 1);
  const received = down + 2;
  const blocks = Math.ceil(sent / BLOCK_OCTETS) + Math.ceil(received / BLOCK_OCTETS);
  if (link.clocksPerEtu !== undefined) {
    const etus = 11 * (sent + received + 4 * blocks) + 22 * blocks;
    return (etus * link.clocksPerEtu * 1e6) / CLOCK;
  }
  return (9 * (sent + received + 3 * blocks) * 1e6) / link.bitsPerSecond + blocks * 86.4;
}

/** Microseconds of one instruction of the chip's virtual machine. */
export function computeInstructionTime(chip: Chip): number {
  return chip.xorOctet / XOR_INSTRUCTIONS;
}

/** Microseconds in bytecode: the instructions that were counted, and the calls of the API. */
export function computeBytecodeTime(chip: Chip, command: Command): number {
  const { instructions, calls } = applet[command];
  return (instructions + calls * CALL_INSTRUCTIONS) * computeInstructionTime(chip);
}

/** Microseconds in ciphers, keys and memory. */
export function computeEngineTime(chip: Chip, work: Work): number {
  const cbc = work.cbc.reduce((sum, blocks) => sum + chip.cbcStart + blocks * chip.cbcBlock, 0);
  const rest = work.inits * chip.cipherInit + work.keys * chip.setKey + work.digests * chip.sha256;
  return cbc + rest + work.records * chip.atomicWrite;
}

/** Microseconds from the first octet sent to the last one received. */
export function computeCommandTime(chip: Chip, link: Link, command: Command, work: Work): number {
  return computeLinkTime(link, work.up, work.down) + computeBytecodeTime(chip, command) + computeEngineTime(chip, work);
}

export type DecodePath = Extract<Command, `decode${string}`>;

/** Groups that a card opens in a second when it does nothing else. */
export function computeDecodesPerSecond(chip: Chip, link: Link, span: number, path: DecodePath = 'decodeSame'): number {
  return 1e6 / computeCommandTime(chip, link, path, computeDecodeWork(span, path === 'decodeTake' ? 1 : 0));
}

/** What an hour of a stream wears. */
export interface Wear {
  /** Records written: a take each, and one when the session of 8 hours is closed. */
  readonly records: number;
  /** Content keys loaded, and Cipher.init and Signature.init for them. */
  readonly contentKeys: number;
  readonly inits: number;
  /** Micro-units that a power cut costs less than: the quantum, and a group of 100 full packets. */
  readonly cut: bigint;
  /**
   * Years at 8 hours a day until a cell of the record's places has had its writes; undefined when nothing is written.
   */
  readonly recordYears: number | undefined;
  /** The same for the cell that takes most of the inits, if each object has a cell of its own, and if all have one. */
  readonly initYears: { readonly apart: number; readonly together: number };
}

/**
 * @param bitRate of the payload, bit/s.
 * @param tariff charged with the head-end's usual quantum.
 * @param period of a content key, s.
 */
export function computeWear(bitRate: number, tariff: Tariff, period = CONTENT_PERIOD): Wear {
  const megabytes = (bitRate / 8 / 1e6) * SECONDS_AN_HOUR;
  const toll = Number(tariff.price) * (tariff.kind === 'octets' ? megabytes : 1);
  const quantum = chooseQuantum(tariff);
  const takes = tariff.kind === 'free' ? 0 : toll / Number(quantum);
  const records = takes === 0 ? 0 : takes + 1 / 8;
  const contentKeys = SECONDS_AN_HOUR / period;
  const inits = contentKeys * WORK.contentKey.inits;
  const years = (writesAnHour: number) => ENDURANCE / (writesAnHour * HOURS_A_YEAR);
  return {
    records,
    contentKeys,
    inits,
    cut:
      tariff.kind === 'free'
        ? 0n
        : quantum + amountOf(ticksOf(tariff, GROUP_OCTETS, Math.ceil((GROUP_OCTETS * 8000) / bitRate), false)),
    recordYears: records === 0 ? undefined : years(records / RECORD_PLACES),
    initYears: { apart: years(contentKeys), together: years(inits) },
  };
}
