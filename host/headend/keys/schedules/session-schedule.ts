import { type ContentTerms, encodeContentTerms } from '../../../../apdu/decode-module/keys/content-terms.ts';
import { sealKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { type ContentCiphers, makeContentCiphers } from '../../../../apdu/decode-module/packets/card-part.ts';
import { deriveWorkingKeys } from '../../../../apdu/decode-module/working-keys.ts';
import { TollcastError } from '../../../../apdu/errors.ts';
import type { ContentPeriod } from '../../sender/content-keys.ts';
import { MIN_PERIOD } from './key-schedule.ts';
import type { SegmentKey } from './segment-key.ts';

/** Most seconds by which the next keys are announced ahead. */
const MAX_AHEAD = 30;
/** Seconds for which an unscheduled key is announced before it holds: some eight repeats of the key port. */
const REKEY_LEAD = 2;
/** Seconds before an unscheduled change is due from which on it is announced. */
const REKEY_AHEAD = 5;

export interface SessionScheduleOptions {
  /** u32. */
  readonly service: number;
  /** Gives an id that was never given, u32. */
  readonly takeId: (kind: 'segment' | 'content') => number;
  readonly deriveSegmentKey: (keyId: number) => Uint8Array;
  /** The end of a segment that starts at a media time, 20 s on or later. */
  readonly endOfSegment: (from: number) => number;
  /** Most seconds of a content key, 20 and up. */
  readonly period: number;
  /** Seconds for which keys open what comes after their time. */
  readonly grace: number;
  readonly terms: Pick<ContentTerms, 'tariff' | 'classes' | 'rating'>;
  /** Unpredictable octets, as many as asked for. */
  readonly random: (length: number) => Uint8Array;
  /** Segment keys that were made before, and whose time is not over. */
  readonly segments: readonly SegmentKey[];
  /**
   * The earliest end, within the time of a segment key, of somebody who was sent it; undefined when there is none. It
   * may be over already.
   */
  readonly nextEnd: (segment: SegmentKey) => number | undefined;
  /** Whether somebody who was sent a segment key shall have no key after its time. */
  readonly hasLeavers: (segment: SegmentKey) => boolean;
  /** Called with each new segment key, before it is announced. */
  readonly onSegment: (segment: SegmentKey) => void;
}

/** A content key as it is announced. An unscheduled change moves its end. */
class Period implements ContentPeriod {
  readonly id: number;
  readonly from: number;
  to: number;
  readonly segment: SegmentKey;
  readonly ciphers: ContentCiphers;
  readonly masterSalt: Uint8Array;
  /** The key under its own segment key, and ahead of its time under the one before, where that is another. */
  readonly copies: readonly Uint8Array[];

  constructor(fields: Omit<Period, 'segmentId'>) {
    this.id = fields.id;
    this.from = fields.from;
    this.to = fields.to;
    this.segment = fields.segment;
    this.ciphers = fields.ciphers;
    this.masterSalt = fields.masterSalt;
    this.copies = fields.copies;
  }

  get segmentId(): number {
    return this.segment.segment;
  }
}

/** What is to be announced at a media time. */
export interface LiveKeys {
  /** The segment key that holds, and the next one once its time is near. */
  readonly segments: readonly SegmentKey[];
  /** Content messages; the same object for the same message, as long as it is due. */
  readonly contents: readonly Uint8Array[];
}

/**
 * Makes the segment and content keys of a session, over all streams that it has. Nothing here waits: media time in,
 * keys out. A card holds two content keys, so there is never a third that matters.
 */
export class SessionSchedule {
  readonly #options: SessionScheduleOptions;
  #segments: readonly SegmentKey[];
  #ssrc = 0;
  #current: Period | undefined;
  #next: Period | undefined;
  /** Media time from which on the content key before the current one is of no use to anybody. */
  #previousEnds = 0;

  constructor(options: SessionScheduleOptions) {
    this.#options = options;
    this.#segments = options.segments;
  }

  /** Begins a stream, with a content key of its own. The segment key that holds goes on. */
  startStream(ssrc: number, mediaTime: number): void {
    this.#ssrc = ssrc;
    this.#previousEnds = this.#current === undefined ? 0 : mediaTime + this.#options.grace;
    this.#next = undefined;
    this.#current = this.#makePeriod(this.segmentAt(mediaTime), mediaTime);
  }

  /**
   * The content key of a media time, or the one that already holds when the time is earlier.
   * @throws TollcastError `GRANTS_ENDED` before the first stream.
   */
  at(mediaTime: number): ContentPeriod {
    return this.#at(mediaTime);
  }

  /** What belongs on the key port. */
  live(mediaTime: number): LiveKeys {
    const current = this.#at(mediaTime);
    this.#rekey(current, mediaTime);
    if (mediaTime >= current.to - this.#aheadOf(current)) this.#next ??= this.#makeNext(current);
    const next = this.#next;
    return {
      segments:
        next === undefined || next.segment === current.segment ? [current.segment] : [current.segment, next.segment],
      contents: [current.copies[0]!, ...(next?.copies ?? [])],
    };
  }

  /** The segment key of a media time, which is made where there is none. */
  segmentAt(mediaTime: number): SegmentKey {
    // Of several, the one that was made last replaces the others.
    const known = this.#segments.filter(({ from, to }) => from <= mediaTime && mediaTime < to);
    const last = known.toSorted((a, b) => a.from - b.from || a.keyId - b.keyId).at(-1);
    return last ?? this.#makeSegment(mediaTime, this.#options.endOfSegment(mediaTime));
  }

  #at(mediaTime: number): Period {
    let current = this.#current;
    if (current === undefined) {
      throw new TollcastError('GRANTS_ENDED', 'no stream of the session has begun; wait for its source');
    }
    while (mediaTime >= current.to) {
      this.#previousEnds = current.to + this.#options.grace;
      current = this.#next ?? this.#makeNext(current);
      this.#next = undefined;
    }
    this.#current = current;
    return current;
  }

  /** Seconds before its end from which on the key after a period is announced. */
  #aheadOf({ from, to }: Period): number {
    // The grace of the key before is over by then, but for the rest of a segment that a stream begins with.
    return Math.min(MAX_AHEAD, Math.max(1, Math.floor((to - from - this.#options.grace) / 2)));
  }

  #makeNext(current: Period): Period {
    const { segment, to } = current;
    if (to < segment.to) return this.#makePeriod(segment, to);
    const following = this.segmentAt(to);
    // Whoever is off the list by then has this segment key, and must not get the next content key under it.
    if (this.#options.hasLeavers(segment)) return this.#makePeriod(following, to);
    return this.#makePeriod(following, to, { before: segment });
  }

  /**
   * When somebody who has the segment key is off the list, replaces the next content key, under its own id, by one under
   * a new segment key, and has it hold sooner.
   */
  #rekey(current: Period, mediaTime: number): void {
    const { nextEnd } = this.#options;
    const { segment } = current;
    const next = this.#next;
    // A change that is under way must reach everybody.
    if (current.to - mediaTime < REKEY_LEAD) return;
    if (next !== undefined && next.segment !== segment) {
      const end = nextEnd(next.segment);
      if (end === undefined || end > next.from) return;
      const { from, to, segment: sold } = next.segment;
      this.#next = this.#makePeriod(this.#makeSegment(from, to, sold), next.from, { id: next.id });
      return;
    }
    const end = nextEnd(segment);
    // A third content key would have no place on a card.
    if (end === undefined || mediaTime < end - REKEY_AHEAD || mediaTime < this.#previousEnds) return;
    const wanted = Math.max(end, mediaTime + REKEY_LEAD);
    const cut = current.to - wanted < MIN_PERIOD ? current.to : wanted;
    // The key of the next segment was not announced yet, and leaves out who is off the list by then.
    if (cut >= segment.to) return;
    current.to = cut;
    this.#next = this.#makePeriod(this.#makeSegment(cut, segment.to, segment.segment), cut, { id: next?.id });
  }

  #makeSegment(from: number, to: number, sold?: number): SegmentKey {
    const { takeId, deriveSegmentKey, onSegment } = this.#options;
    const keyId = takeId('segment');
    const segment = { keyId, segment: sold ?? keyId, from, to, key: deriveSegmentKey(keyId) };
    this.#segments = [...this.#segments.filter((one) => one.to > from), segment];
    onSegment(segment);
    return segment;
  }

  #makePeriod(
    segment: SegmentKey,
    from: number,
    { id = this.#options.takeId('content'), before }: { id?: number | undefined; before?: SegmentKey } = {},
  ): Period {
    const { service, period, grace, terms, random } = this.#options;
    const left = segment.to - from;
    const to = from + Math.ceil(left / Math.ceil(left / period));
    const key = random(16);
    const masterSalt = random(12);
    const body = encodeContentTerms({ ...terms, ssrcs: [this.#ssrc], segmentId: segment.segment, masterSalt });
    const seal = (parent: SegmentKey, until: number) => {
      const header = { kind: KIND.content, service, keyId: id, from, to: until, number: 0 };
      return sealKeyMessage({ ...header, parentKind: KIND.segment, parentId: parent.keyId }, key, body, parent.key)
        .octets;
    };
    const copies = [seal(segment, to + grace)];
    // The copy under the segment before ends with the grace of that; a card keeps the one that ends later.
    if (before !== undefined && grace > 0) copies.push(seal(before, Math.min(to, before.to) + grace));
    const ciphers = makeContentCiphers(deriveWorkingKeys(KIND.content, service, id, key));
    return new Period({ id, from, to, segment, ciphers, masterSalt, copies });
  }
}
