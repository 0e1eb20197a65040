import type { Ceilings } from '../../../../apdu/decode-module/keys/ceilings.ts';
import { p256PairOf } from '../../../../apdu/decode-module/keys/p256.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { toHex } from '../../../../apdu/octets.ts';
import type { CardParents } from '../grants/card-parents.ts';
import type { KeyRoot } from '../key-root.ts';
import { sealSegmentUnderPair, type SegmentKey } from '../schedules/segment-key.ts';
import type { KeyStrategy, MemberGrant, WrappedSegment } from './key-strategy.ts';

/** Ids of pairs are above those of single cards: a leave names a purchase by its id alone (protocol 4.5). */
const PAIR_ID_BASE = 0xe000_0000;
/** Segments whose start is remembered: the one that holds, and the next. */
const MAX_SEGMENTS = 4;

export interface ServicePairOptions {
  readonly service: number;
  readonly root: KeyRoot;
  readonly parents: CardParents;
  readonly ceilings: Ceilings;
  readonly grace: number;
  /** The head-end's static private half, 32 octets. */
  readonly staticKey: Uint8Array;
  /** Whether a card takes messages under pairs: it has the head-end's point (protocol 4.9). */
  readonly hasPoint: (cardId: Uint8Array) => boolean;
  /** For cards that do not. */
  readonly others: KeyStrategy;
  /** Segment keys that were made before this start: nobody knows here who left in their time. */
  readonly earlier: readonly SegmentKey[];
  /** Told what was chosen for a card, and why. */
  readonly onChosen: (cardId: Uint8Array, way: 'pair' | 'others', reason: string) => void;
}

/**
 * Each segment that is sold has a pair. Members buy its private half; segment keys travel once, encrypted to its public
 * half, however many members there are. Who is off the list gets no later pair, and so no key of a later segment; until
 * then its card holds it to its end. Cards without the head-end's point are served as others are.
 */
export class ServicePairStrategy implements KeyStrategy {
  readonly name = 'pair';
  readonly isBoughtBySegment = true;
  readonly #options: ServicePairOptions;
  readonly #sealed = new WeakMap<SegmentKey, Uint8Array>();
  /** Media times at which those end that have a pair, by card id in hexadecimal. */
  readonly #ends = new Map<string, number>();
  /** Start of the segments that are sold, as far as it is known here; a later key of one begins later. */
  readonly #starts = new Map<number, number>();

  constructor(options: ServicePairOptions) {
    this.#options = options;
  }

  restore(member: Omit<MemberGrant, 'takeNumber'>): void {
    const { hasPoint, others } = this.#options;
    if (hasPoint(member.cardId)) this.#ends.set(toHex(member.cardId), member.to);
    else others.restore(member);
  }

  grant(grant: MemberGrant, segments: readonly SegmentKey[]): Uint8Array[] {
    const { hasPoint, others, onChosen } = this.#options;
    if (!hasPoint(grant.cardId)) {
      onChosen(
        grant.cardId,
        'others',
        `the issuer store has no public half of this card, so it is served by ${others.name}`,
      );
      return others.grant(grant, segments);
    }
    this.#ends.set(toHex(grant.cardId), grant.to);
    onChosen(grant.cardId, 'pair', 'the card has the point of this head-end, as it made a key pair for it');
    const bought = new Map(segments.map((segment) => [segment.segment, segment]));
    const purchases = [...bought.values()].map((segment) => this.#sell(grant, segment));
    return [...purchases, ...segments.map((segment) => this.#seal(segment))];
  }

  wrap(segment: SegmentKey): WrappedSegment {
    return { messages: [this.#seal(segment), ...this.#options.others.wrap(segment).messages] };
  }

  end(cardId: Uint8Array, at: number): void {
    this.#options.others.end(cardId, at);
    const name = toHex(cardId);
    const end = this.#ends.get(name);
    if (end !== undefined) this.#ends.set(name, Math.min(end, at));
  }

  /** Who has the private half would read a key in this one's place, too. */
  nextEnd(segment: SegmentKey): number | undefined {
    return this.#options.others.nextEnd(segment);
  }

  hasLeavers(segment: SegmentKey): boolean {
    const { others, earlier } = this.#options;
    let isEnded = others.hasLeavers(segment) || earlier.includes(segment);
    for (const [name, end] of this.#ends) {
      if (end <= segment.from) this.#ends.delete(name);
      else if (end < segment.to) isEnded = true;
    }
    return isEnded;
  }

  /** The private half, for what lies in the segment and in the time of the member. */
  #sell({ cardId, from, to, takeNumber }: MemberGrant, segment: SegmentKey): Uint8Array {
    const { service, root, parents, ceilings, grace } = this.#options;
    const keyId = pairIdOf(segment);
    const key = root.derivePrivateHalf(service, keyId);
    const validity = { from: Math.max(from, this.#startOf(segment)), to: Math.min(to, segment.to + grace) };
    const purchase = { kind: KIND.servicePair, service, keyId, key, ...validity, number: takeNumber(), ceilings };
    return parents.seal(purchase, cardId);
  }

  #startOf({ segment, from }: SegmentKey): number {
    const start = this.#starts.get(segment) ?? from;
    this.#starts.set(segment, start);
    const [oldest] = this.#starts.keys();
    if (this.#starts.size > MAX_SEGMENTS && oldest !== undefined) this.#starts.delete(oldest);
    return start;
  }

  #seal(segment: SegmentKey): Uint8Array {
    let sealed = this.#sealed.get(segment);
    if (sealed === undefined) {
      const { service, root, grace, staticKey } = this.#options;
      const id = pairIdOf(segment);
      this.#startOf(segment);
      const { publicKey } = p256PairOf(root.derivePrivateHalf(service, id));
      sealed = sealSegmentUnderPair(service, segment, grace, { id, publicKey }, staticKey).octets;
      this.#sealed.set(segment, sealed);
    }
    return sealed;
  }
}

/** Several keys of one segment that is sold come under one pair. */
function pairIdOf({ segment }: SegmentKey): number {
  return (PAIR_ID_BASE + segment) >>> 0;
}
