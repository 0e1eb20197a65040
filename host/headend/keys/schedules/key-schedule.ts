import { type ContentTerms, encodeContentTerms } from '../../../../apdu/decode-module/keys/content-terms.ts';
import { type KeyMessage, sealKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { makeContentCiphers } from '../../../../apdu/decode-module/packets/card-part.ts';
import { deriveWorkingKeys } from '../../../../apdu/decode-module/working-keys.ts';
import { OutOfRangeError, TollcastError } from '../../../../apdu/errors.ts';
import type { ContentPeriod } from '../../sender/content-keys.ts';

/** Seconds for which a message is valid after the time of its key is over, so that a change of keys never shows. */
const GRACE = 5;
/**
 * Least seconds of a segment and of a content key. A card holds two content keys, so the grace of one must be over
 * before the next but one is announced.
 */
export const MIN_PERIOD = 20;
/** Most seconds by which the next keys are announced ahead. */
const MAX_AHEAD = 30;

export interface KeyScheduleOptions {
  /** u32, 1 and up. */
  readonly service: number;
  /** Key id of the service key. */
  readonly serviceKeyId: number;
  /** 16 octets. */
  readonly serviceKey: Uint8Array;
  /** Media time at which the stream and its first segment start; also the first segment's and content key's id. */
  readonly start: number;
  /** End of the purchases, and so of the stream. */
  readonly end: number;
  /** Seconds of a segment, 20 and up; the whole stream is one when left out. */
  readonly segment?: number | undefined;
  /** Most seconds of a content key, 20 and up. */
  readonly period: number;
  readonly terms: Pick<ContentTerms, 'tariff' | 'rating' | 'classes' | 'ssrcs'>;
  /** Unpredictable octets, as many as asked for. */
  readonly random: (length: number) => Uint8Array;
}

/** A content key as it is announced. */
export interface ScheduledPeriod extends ContentPeriod {
  readonly segment: Segment;
  readonly message: KeyMessage;
  /** The same key under the segment key before, where that is another one. It ends with the grace of that segment. */
  readonly ahead?: KeyMessage | undefined;
}

interface Segment {
  readonly id: number;
  readonly from: number;
  readonly to: number;
  readonly key: Uint8Array;
  readonly message: KeyMessage;
}

/**
 * Makes the segment and content keys of a stream under one service key. Pure: media time in, keys out. Content keys
 * divide a segment evenly, so that none straddles two segments and none is much shorter than the others.
 */
export class KeySchedule {
  readonly #options: KeyScheduleOptions;
  #current: ScheduledPeriod;
  #next: ScheduledPeriod | undefined;

  /** @throws OutOfRangeError naming the option and its range. */
  constructor(options: KeyScheduleOptions) {
    for (const [name, seconds] of [
      ['period', options.period],
      ['segment', options.segment ?? MIN_PERIOD],
    ] as const) {
      if (!Number.isInteger(seconds) || seconds < MIN_PERIOD) {
        throw new OutOfRangeError(`the ${name} of a key has whole seconds, ${MIN_PERIOD} and more, not ${seconds}`);
      }
    }
    this.#options = options;
    this.#current = this.#makePeriod(this.#makeSegment(options.start, options.start), options.start, options.start);
  }

  /**
   * The key of a media time, or the key that already holds when the time is earlier.
   * @param mediaTime seconds since 1970.
   * @throws TollcastError `GRANTS_ENDED` at the end of the stream.
   */
  at(mediaTime: number): ScheduledPeriod {
    while (mediaTime >= this.#current.to) {
      if (this.#current.to >= this.#options.end) {
        throw new TollcastError('GRANTS_ENDED', 'the time that the cards were granted is over; start the sender anew');
      }
      this.#current = this.#next ?? this.#makeNext(this.#current);
      this.#next = undefined;
    }
    return this.#current;
  }

  /**
   * The messages of the keys that hold, and of the next ones once their time is near; parents first. The next content
   * key of another segment comes under both segment keys, so that either copy may be lost.
   * @returns the same object for the same message, as long as it is due.
   */
  messages(mediaTime: number): readonly KeyMessage[] {
    const current = this.at(mediaTime);
    const { from, to, segment } = current;
    const ahead = Math.min(MAX_AHEAD, Math.floor((to - from - GRACE) / 2));
    if (to < this.#options.end && mediaTime >= to - ahead) this.#next ??= this.#makeNext(current);
    const next = this.#next;
    return [
      segment.message,
      ...(next !== undefined && next.segment !== segment ? [next.segment.message] : []),
      current.message,
      ...(next?.ahead !== undefined ? [next.ahead] : []),
      ...(next !== undefined ? [next.message] : []),
    ];
  }

  #makeNext(current: ScheduledPeriod): ScheduledPeriod {
    const { segment, to } = current;
    const id = current.id + 1;
    if (to < segment.to) return this.#makePeriod(segment, id, to);
    return this.#makePeriod(this.#makeSegment(segment.id + 1, to), id, to, segment);
  }

  #makeSegment(id: number, from: number): Segment {
    const { service, serviceKey, serviceKeyId, random } = this.#options;
    const end = from + (this.#options.segment ?? Infinity);
    // A rest that is too short for a content key of its own stays with the last segment.
    const to = end + MIN_PERIOD > this.#options.end ? this.#options.end : end;
    const key = random(16);
    const message = sealKeyMessage(
      {
        kind: KIND.segment,
        service,
        keyId: id,
        from,
        to: to + GRACE,
        number: 0,
        parentKind: KIND.service,
        parentId: serviceKeyId,
      },
      key,
      new Uint8Array(0),
      serviceKey,
    );
    return { id, from, to, key, message };
  }

  /** @param before the segment that ends where this one begins. */
  #makePeriod(segment: Segment, id: number, from: number, before?: Segment): ScheduledPeriod {
    const { service, period, terms, random } = this.#options;
    const left = segment.to - from;
    const to = from + Math.ceil(left / Math.ceil(left / period));
    const key = random(16);
    const masterSalt = random(12);
    const body = encodeContentTerms({ ...terms, segmentId: segment.id, masterSalt });
    const sealUnder = (parent: Segment): KeyMessage => {
      const header = { kind: KIND.content, service, keyId: id, from, to: to + GRACE, number: 0 };
      return sealKeyMessage({ ...header, parentKind: KIND.segment, parentId: parent.id }, key, body, parent.key);
    };
    const message = sealUnder(segment);
    const ciphers = makeContentCiphers(deriveWorkingKeys(KIND.content, service, id, key));
    const ahead = before && sealUnder(before);
    return { id, from, to, segmentId: segment.id, segment, ciphers, masterSalt, message, ahead };
  }
}
