import { randomBytes } from 'node:crypto';
import type { ModuleClass } from '../../../apdu/decode-module/card-id.ts';
import type { Tariff } from '../../../apdu/decode-module/money/tariff.ts';
import { fromHex } from '../../../apdu/octets.ts';
import type { DueMessages } from '../../stream/sealing/key-carousel.ts';
import type { ListedMember } from '../membership/member-list.ts';
import type { ContentKeys, ContentPeriod } from '../sender/content-keys.ts';
import type { StreamStart } from '../sender/stream-start.ts';
import type { KeyStrategy, MemberGrant } from './key-strategy.ts';
import type { SegmentKey } from './segment-key.ts';
import { endOfSegment, type PlannedProgramme } from './segment-plan.ts';
import { type LiveKeys, SessionSchedule } from './session-schedule.ts';

/** Sections of a segment key that are repeated with every round of the key port; more of them take turns. */
const MAX_FREQUENT = 12;

export interface SessionKeyManagerOptions {
  /** u32. */
  readonly service: number;
  readonly tariff: Tariff;
  readonly rating: number;
  readonly classes: { readonly [C in ModuleClass]: boolean };
  readonly period: number;
  /** Seconds of a segment where no programme is on. */
  readonly segment: number;
  readonly programme: readonly PlannedProgramme[];
  readonly grace: number;
  readonly strategy: KeyStrategy;
  readonly takeId: (kind: 'segment' | 'content') => number;
  readonly deriveSegmentKey: (keyId: number) => Uint8Array;
  /** Segment keys that were made before, and whose time is not over. */
  readonly segments: readonly SegmentKey[];
  /** Who is on the list already. */
  readonly members: Iterable<Pick<ListedMember, 'cardId' | 'from' | 'to'>>;
  readonly onSegment: (segment: SegmentKey) => void;
}

/** The keys of one session: for its sender, for each card that is granted some, and for all on the key port. */
export class SessionKeyManager implements ContentKeys {
  readonly #strategy: KeyStrategy;
  readonly #schedule: SessionSchedule;
  #mediaTime = 0;

  constructor(options: SessionKeyManagerOptions) {
    const { strategy, segment, programme, tariff, rating, classes } = options;
    this.#strategy = strategy;
    for (const { cardId, from, to } of options.members) {
      strategy.restore({ cardId: fromHex(cardId), from, to });
    }
    this.#schedule = new SessionSchedule({
      ...options,
      terms: { tariff, rating, classes },
      endOfSegment: (from) => endOfSegment(from, segment, programme),
      nextEnd: (key) => strategy.nextEnd(key),
      random: randomBytes,
    });
  }

  /** How members get the segment keys. */
  get strategy(): string {
    return this.#strategy.name;
  }

  /** Begins a stream. @returns it, with a media time that is not before that of the stream before. */
  startStream({ ssrc, mediaTime }: StreamStart): StreamStart {
    this.#mediaTime = Math.max(this.#mediaTime, mediaTime);
    this.#schedule.startStream(ssrc, this.#mediaTime);
    return { ssrc, mediaTime: this.#mediaTime };
  }

  at(mediaTime: number): ContentPeriod {
    this.#mediaTime = Math.max(this.#mediaTime, mediaTime);
    return this.#schedule.at(mediaTime);
  }

  due(mediaTime: number): DueMessages {
    this.#mediaTime = Math.max(this.#mediaTime, mediaTime);
    const { segments, contents } = this.#schedule.live(mediaTime);
    const wrapped = segments.flatMap((segment) => this.#strategy.wrap(segment).messages);
    if (wrapped.length > MAX_FREQUENT) return { personal: wrapped, shared: contents };
    return { personal: [], shared: [...wrapped, ...contents] };
  }

  /**
   * Gives a card keys for [from, to); an extension has the start of its join.
   * @returns messages for LOAD KEY in this order, and the id of the segment that it can open first.
   */
  grant(grant: MemberGrant): { messages: readonly Uint8Array[]; segmentId: number } {
    const { segments, contents } = this.#liveFor(grant);
    const purchase = this.#strategy.grant(grant);
    const opened = segments.filter(({ from, to }) => from < grant.to && grant.from < to);
    const wrapped = opened.map((segment) => this.#strategy.wrapFor(segment, grant.cardId));
    return {
      messages: [...purchase, ...wrapped.filter((message) => message !== undefined), ...contents],
      segmentId: (opened[0] ?? segments[0]!).segment,
    };
  }

  /** A card is off the list from a media time on: it gets no later key, and those who stay get a new one. */
  end(cardId: Uint8Array, at: number): void {
    this.#strategy.end(cardId, at);
  }

  /** Before the first stream there is a segment key, which the stream will begin with, and no content key. */
  #liveFor({ from }: MemberGrant): LiveKeys {
    if (this.#mediaTime === 0) return { segments: [this.#schedule.segmentAt(from)], contents: [] };
    return this.#schedule.live(this.#mediaTime);
  }
}
