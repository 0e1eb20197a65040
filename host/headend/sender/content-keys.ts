import type { SealingKey } from '../../stream/sealing/group-sealer.ts';
import type { DueMessages } from '../../stream/sealing/key-carousel.ts';

/** A content key and the media time [from, to) in which groups are sealed under it, in seconds since 1970. */
export interface ContentPeriod extends SealingKey {
  readonly from: number;
  readonly to: number;
  /** Id of the segment that the key belongs to, u32. */
  readonly segmentId: number;
}

/** All that a sender knows of keys. Who may have them, and how they reach a card, is the key manager's business. */
export interface ContentKeys {
  /**
   * The key under which a group is sealed. Media time does not run backwards: an earlier one gives the key that
   * already holds.
   * @param mediaTime of the group's start, seconds since 1970.
   * @returns the same object as long as the key holds.
   * @throws TollcastError `GRANTS_ENDED` when there is no key for that time.
   */
  at(mediaTime: number): ContentPeriod;
  /**
   * The messages that belong on the key port.
   * @param mediaTime seconds since 1970.
   * @throws TollcastError `GRANTS_ENDED` when there is no key for that time.
   */
  due(mediaTime: number): DueMessages;
}
