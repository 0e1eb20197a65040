import { randomBytes } from 'node:crypto';
import type { ModuleClass } from '../../../apdu/decode-module/card-id.ts';
import { parseKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import type { Tariff } from '../../../apdu/decode-module/money/tariff.ts';
import { fromHex } from '../../../apdu/octets.ts';
import type { DueMessages } from '../../stream/sealing/key-carousel.ts';
import type { ListedMember } from '../membership/member-list.ts';
import type { ContentKeys, ContentPeriod } from '../sender/content-keys.ts';
import type { StreamStart } from '../sender/stream-start.ts';
import type { OpenedSegment, SegmentKey } from './schedules/segment-key.ts';
import { endOfSegment, type PlannedProgramme } from './schedules/segment-plan.ts';
import { type LiveKeys, SessionSchedule } from './schedules/session-schedule.ts';
import type { KeyStrategy, MemberGrant } from './strategies/key-strategy.ts';

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
  /** Whether segment keys are on the key port, or in answers alone. */
  readonly delivery: 'multicast' | 'unicast';
  /** Seconds before the end of a segment key from which on a card that asks gets what the next one needs. */
  readonly keysAhead: number;
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
  readonly #delivery: SessionKeyManagerOptions['delivery'];
  /** Whether members ask for what the next segment needs. */
  readonly #isAskedAhead: boolean;
  readonly #keysAhead: number;
  readonly #schedule: SessionSchedule;
  #mediaTime = 0;

  constructor(options: SessionKeyManagerOptions) {
    const { strategy, segment, programme, tariff, rating, classes } = options;
    this.#strategy = strategy;
    this.#delivery = options.delivery;
    this.#isAskedAhead = options.delivery === 'unicast' || strategy.isBoughtBySegment;
    this.#keysAhead = options.keysAhead;
    for (const { cardId, from, to } of options.members) {
      strategy.restore({ cardId: fromHex(cardId), from, to });
    }
    this.#schedule = new SessionSchedule({
      ...options,
      terms: { tariff, rating, classes },
      endOfSegment: (from) => endOfSegment(from, segment, programme),
      nextEnd: (key) => strategy.nextEnd(key),
      hasLeavers: (key) => strategy.hasLeavers(key),
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
    const { segments, contents } = this.#live(mediaTime);
    // The strategy keeps who can have a key, also where it is not sent: that decides on changes.
    const wrapped = segments.map((segment) => ({ segment, messages: this.#strategy.wrap(segment).messages }));
    const sent = wrapped.filter(({ segment }) => this.#isSent(segment)).flatMap(({ messages }) => messages);
    if (sent.length > MAX_FREQUENT) return { personal: sent, shared: contents };
    return { personal: [], shared: [...sent, ...contents] };
  }

  /**
   * Gives a card keys for [from, to); an extension has the start of its join.
   * @param startBy segments that begin later are left out.
   * @returns messages for LOAD KEY in this order, the segments that they open, and where members ask for the next segment
   *   the media time until which they need not; the start of the grant where there is no key for it yet.
   */
  grant(
    grant: MemberGrant,
    startBy = Infinity,
  ): {
    messages: readonly Uint8Array[];
    segments: readonly OpenedSegment[];
    keysUntil?: number;
  } {
    const { segments, contents } = this.#liveFor(grant);
    const isInTime = ({ from, to }: { from: number; to: number }) => from < grant.to && grant.from < to;
    const opened = segments.filter((segment) => isInTime(segment) && segment.from <= startBy);
    const openedIds = new Set(opened.map(({ keyId }) => keyId));
    // A card refuses a content key of another time, and one whose segment key it was not given.
    const usable = contents.filter((octets) => {
      const message = parseKeyMessage(octets);
      return isInTime(message) && openedIds.has(message.parentId);
    });
    return {
      messages: [...this.#strategy.grant(grant, opened), ...usable],
      segments: listSegments(opened, grant),
      ...(this.#isAskedAhead && { keysUntil: opened.at(-1)?.to ?? grant.from }),
    };
  }

  /** A card is off the list from a media time on: it gets no later key, and those who stay get a new one. */
  end(cardId: Uint8Array, at: number): void {
    this.#strategy.end(cardId, at);
  }

  /** Before the first stream there is a segment key, which the stream will begin with, and no content key. */
  #liveFor({ from }: MemberGrant): LiveKeys {
    if (this.#mediaTime === 0) return { segments: [this.#schedule.segmentAt(from)], contents: [] };
    return this.#live(this.#mediaTime);
  }

  /** Whoever asks for the next segment key has some time to do so. */
  #live(mediaTime: number): LiveKeys {
    const live = this.#schedule.live(mediaTime);
    const last = live.segments.at(-1)!;
    if (!this.#isAskedAhead || mediaTime < last.to - this.#keysAhead || live.segments.length > 1) return live;
    return { ...live, segments: [last, this.#schedule.segmentAt(last.to)] };
  }

  /** A key that replaces another is always sent: nobody knew that it would come, and it holds in seconds. */
  #isSent({ keyId, segment }: SegmentKey): boolean {
    return this.#delivery === 'multicast' || keyId !== segment;
  }
}

/** What keys open of a grant's time, by the segment that is sold: several keys may follow each other in one. */
function listSegments(opened: readonly SegmentKey[], grant: Pick<MemberGrant, 'from' | 'to'>): OpenedSegment[] {
  const segments = new Map<number, OpenedSegment>();
  for (const { segment: id, from, to } of opened) {
    const before = segments.get(id);
    segments.set(id, {
      id,
      from: Math.min(before?.from ?? Infinity, Math.max(from, grant.from)),
      to: Math.max(before?.to ?? 0, Math.min(to, grant.to)),
    });
  }
  return [...segments.values()];
}
