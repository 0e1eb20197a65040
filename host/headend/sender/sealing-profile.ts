import type { Mode } from '../../../apdu/decode-module/packets/card-part.ts';
import { OutOfRangeError } from '../../../apdu/errors.ts';
import type { AeadFactory } from '../../stream/packet/packet-aead.ts';
import { MAX_PAYLOAD } from '../../stream/sealing/group-sealer.ts';
import { MAX_TS_PAYLOAD_DURATION } from '../sources/ts/ts-packer.ts';

/** How a stream is cut into groups, and how much of it goes through the card. */
export interface SealingProfile {
  readonly mode: Mode;
  /** Octets of the span, 16 to 208 in steps of 16. */
  readonly span: number;
  /** Most packets of a group, 1 to 2,000. */
  readonly every: number;
  /** TS packets in a payload, 1 to 7; of data, as many octets. */
  readonly packing: number;
  /** Most ms of a group of more than one packet. A group is also closed when the source is silent for as long. */
  readonly closingTime: number;
  /** The cipher of node:crypto when left out. */
  readonly aead?: AeadFactory | undefined;
}

/** The modes of packets, and strict: every octet goes through the card. */
export type ProfileMode = Mode | 'strict';

const DEFAULT_EVERY = 100;
const DEFAULT_SPAN = 64;
const FULL_PACKING = 7;
/** Strict is mode open with one TS packet a payload, one packet a group and span 208 (protocol 5.1). */
const STRICT = { mode: 'open', every: 1, span: 208, packing: 1 } as const;

/**
 * Chooses what the caller leaves open.
 * @throws OutOfRangeError when mode strict is asked for with another group or span than it has.
 */
export function chooseProfile(wanted: {
  readonly mode: ProfileMode;
  readonly every?: number | undefined;
  readonly span?: number | undefined;
  readonly closingTime: number;
}): SealingProfile {
  const { mode, closingTime } = wanted;
  if (mode !== 'strict') {
    const { every = DEFAULT_EVERY, span = DEFAULT_SPAN } = wanted;
    return { mode, every, span, packing: FULL_PACKING, closingTime };
  }
  const { every = STRICT.every, span = STRICT.span } = wanted;
  if (every !== STRICT.every || span !== STRICT.span) {
    throw new OutOfRangeError(
      'mode strict has every packet a card packet and a span of 208; leave out --every and --span',
    );
  }
  return { ...STRICT, closingTime };
}

/** The most that one group of a profile can come to, in octets of payload and ms. */
export function limitGroups({ every, closingTime }: Pick<SealingProfile, 'every' | 'closingTime'>): {
  groupOctets: number;
  groupDuration: number;
} {
  return { groupOctets: every * MAX_PAYLOAD, groupDuration: closingTime + MAX_TS_PAYLOAD_DURATION };
}
