import type { Ceilings } from '../../../../apdu/decode-module/keys/ceilings.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import type { CardParents } from '../grants/card-parents.ts';
import type { SegmentKey } from '../schedules/segment-key.ts';
import type { KeyStrategy, MemberGrant, WrappedSegment } from './key-strategy.ts';

export interface SingleSegmentOptions {
  readonly service: number;
  readonly parents: CardParents;
  readonly ceilings: Ceilings;
}

const NOTHING: WrappedSegment = { messages: [] };

/**
 * Members buy each segment by itself: its key comes to them alone, under their own key, as a purchase (protocol 4.1).
 * There is no service key, and nothing to send to many. Who leaves gets no later segment, and its card keeps to the end
 * of those that it has.
 */
export class SingleSegmentStrategy implements KeyStrategy {
  readonly name = 'single';
  readonly isBoughtBySegment = true;
  readonly #options: SingleSegmentOptions;

  constructor(options: SingleSegmentOptions) {
    this.#options = options;
  }

  restore(): void {
    // It keeps no list.
  }

  /** Of a segment's time a member gets what lies in its own, and no grace: what comes after is another purchase. */
  grant({ cardId, from, to, takeNumber }: MemberGrant, segments: readonly SegmentKey[]): Uint8Array[] {
    const { service, parents, ceilings } = this.#options;
    return segments.map(({ keyId, key, ...time }) => {
      const validity = { from: Math.max(from, time.from), to: Math.min(to, time.to) };
      const purchase = { kind: KIND.segment, service, keyId, key, ...validity, number: takeNumber(), ceilings };
      return parents.seal(purchase, cardId);
    });
  }

  wrap(): WrappedSegment {
    return NOTHING;
  }

  end(): void {
    // A key in its place could be sent to nobody who does not ask.
  }

  nextEnd(): undefined {
    return undefined;
  }

  hasLeavers(): boolean {
    return false;
  }
}
