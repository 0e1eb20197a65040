import type { Ceilings } from '../../../../apdu/decode-module/keys/ceilings.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import type { CardParents } from '../grants/card-parents.ts';
import type { KeyRoot } from '../key-root.ts';
import { sealSegment, type SegmentKey } from '../schedules/segment-key.ts';
import type { KeyStrategy, MemberGrant, WrappedSegment } from './key-strategy.ts';

export interface SharedKeyOptions {
  readonly service: number;
  readonly root: KeyRoot;
  readonly parents: CardParents;
  readonly ceilings: Ceilings;
  readonly grace: number;
  /** Id of the service key that all members share. */
  readonly keyId: number;
}

/**
 * All members have one service key, each under its unique key with its own time and ceilings; the segment key travels
 * once. A card that left opens nothing after its own end, as it keeps to that, but it gets every later segment key.
 */
export class SharedKeyStrategy implements KeyStrategy {
  readonly name = 'shared';
  readonly isBoughtBySegment = false;
  readonly #options: SharedKeyOptions;
  readonly #key: Uint8Array;
  readonly #wrapped = new WeakMap<SegmentKey, WrappedSegment>();

  constructor(options: SharedKeyOptions) {
    this.#options = options;
    this.#key = options.root.deriveSharedKey(options.service, options.keyId);
  }

  restore(): void {
    // It keeps no list.
  }

  grant({ cardId, from, to, takeNumber }: MemberGrant, segments: readonly SegmentKey[]): Uint8Array[] {
    const { service, keyId, parents, ceilings } = this.#options;
    const purchase = { service, keyId, key: this.#key, from, to, number: takeNumber(), ceilings };
    return [parents.seal(purchase, cardId), ...segments.flatMap((segment) => this.wrap(segment).messages)];
  }

  wrap(segment: SegmentKey): WrappedSegment {
    let wrapped = this.#wrapped.get(segment);
    if (wrapped === undefined) {
      const { service, keyId, grace } = this.#options;
      const parent = { kind: KIND.service, id: keyId, key: this.#key };
      wrapped = { messages: [sealSegment(service, segment, grace, parent).octets] };
      this.#wrapped.set(segment, wrapped);
    }
    return wrapped;
  }

  end(): void {
    // Its card keeps to the end of its purchase, and whoever broke that has the key.
  }

  nextEnd(): undefined {
    return undefined;
  }

  hasLeavers(): boolean {
    return false;
  }
}
