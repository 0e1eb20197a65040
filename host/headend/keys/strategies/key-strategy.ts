import type { SegmentKey } from '../schedules/segment-key.ts';

/** Names of the ways in which members get the segment keys. */
export type StrategyName = 'list' | 'shared' | 'single' | 'pair';

/** A card, and the media time [from, to) that it is given keys for, in seconds since 1970. */
export interface MemberGrant {
  /** 8 octets. */
  readonly cardId: Uint8Array;
  readonly from: number;
  readonly to: number;
  /** Takes the card's next number (protocol 4.4 step 4). */
  readonly takeNumber: () => number;
}

/** Messages that carry a segment key to many. */
export interface WrappedSegment {
  /** Key messages or combined sections, each of 1,400 octets at most; the same object as long as it stays. */
  readonly messages: readonly Uint8Array[];
}

/** How the members of a session get its segment keys. A strategy has no clock and waits for nothing. */
export interface KeyStrategy {
  readonly name: StrategyName;
  /** Whether members buy something with each segment that is sold, and so ask again before its end. */
  readonly isBoughtBySegment: boolean;
  /** Puts a card on the list that has its purchase already, as when the head-end starts anew. */
  restore(member: Omit<MemberGrant, 'takeNumber'>): void;
  /**
   * Puts a card on the list, or moves its end.
   * @param segments keys whose time and that of the grant overlap.
   * @returns messages that give them to this card alone, in the order in which it loads them.
   */
  grant(grant: MemberGrant, segments: readonly SegmentKey[]): Uint8Array[];
  /** A segment key for all that are on the list in its time. */
  wrap(segment: SegmentKey): WrappedSegment;
  /** A card is off the list from a media time on. */
  end(cardId: Uint8Array, at: number): void;
  /**
   * The earliest end, within the time of a segment key, of somebody who was sent it and shall have no key after that.
   * @returns undefined when there is none.
   */
  nextEnd(segment: SegmentKey): number | undefined;
  /** Whether somebody who was sent a segment key shall have no key after its time. */
  hasLeavers(segment: SegmentKey): boolean;
}
