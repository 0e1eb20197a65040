import { randomBytes, randomInt } from 'node:crypto';
import type { CardHeader } from '../../../apdu/decode-module/packets/card-part.ts';
import { type Clock, systemClock } from '../../clock/clock.ts';
import type { FileDescription } from '../../stream/file/file-description.ts';
import { GroupSealer, type MediaPayload, type SealedGroup } from '../../stream/sealing/group-sealer.ts';
import { nodeAead } from '../../transport/crypto/node-aead.ts';
import type { MediaSource } from '../sources/media-source.ts';
import { MediaTimeline } from '../sources/media-timeline.ts';
import { readPayloads } from '../sources/payload-reader.ts';
import { RateCheck } from '../sources/rate-check.ts';
import type { Packer } from '../sources/rate-packer.ts';
import { makePacker, payloadTypeOf, type SourceFormat } from '../sources/source-format.ts';
import type { ContentKeys, ContentPeriod } from './content-keys.ts';
import { KeyAnnouncer } from './key-announcer.ts';
import type { Lateness } from './lateness.ts';
import { Pacer } from './pacer.ts';
import type { SealingProfile } from './sealing-profile.ts';
import { type ServiceAddress, ServicePorts } from './service-ports.ts';
import type { StreamStart } from './stream-start.ts';

export interface ServiceSenderOptions {
  readonly stream: StreamStart;
  readonly source: {
    readonly media: MediaSource;
    readonly format: SourceFormat;
    /** Whether it comes as time passes; a file is there before it is read. */
    readonly isLive?: boolean;
    /** bit/s, in place of the source's own clock or times of arrival; a file of data has 10,000,000 when left out. */
    readonly rate?: number | undefined;
    /** Sent piece by piece, for receivers to put together. */
    readonly file?: FileDescription | undefined;
  };
  readonly profile: SealingProfile;
  readonly keys: ContentKeys;
  readonly to: ServiceAddress;
  readonly pace: {
    /** Seconds of media in a second. */
    readonly speed: number;
    /** ms for which the keys are on the wire before the first packet. */
    readonly lead: number;
  };
  /** Whether a stop ends the programme for its viewers, as the end of the source does. A file's always does. */
  readonly endsAtStop?: boolean;
  /** Whether another stream of the session follows a stop, also where a file is the source. */
  readonly resumes?: boolean;
  readonly clock?: Clock;
  /** Called with the first content key and with every next one. */
  readonly onKey?: (period: ContentPeriod) => void;
  /** Called before a group is sent. @returns when it may be; undefined when at once. */
  readonly onGroup?: (header: CardHeader) => Promise<void> | undefined;
  /** Called once when the rate does not fit, with the rate that was measured in bit/s. */
  readonly onWrongRate?: (measured: number) => void;
}

/** What was sent so far. */
export interface ServiceTotals {
  /** Payload before sealing: octets of the source. */
  octets: number;
  /** ms of media. */
  duration: number;
  packets: number;
  groups: number;
  contentKeys: number;
  segments: number;
}

/**
 * ms; a silence of a source that can wait counts as media time when it is as long, so that what follows is of the
 * present.
 */
const LONG_SILENCE = 1000;
/** RFC 3711 3.3.1: the first sequence number lies below 2^15. */
const MAX_FIRST_SEQUENCE = 0x8000;

/** Sends one service to one address: its source, sealed, and its keys beside it. */
export class ServiceSender {
  readonly totals: ServiceTotals = { octets: 0, duration: 0, packets: 0, groups: 0, contentKeys: 0, segments: 0 };
  readonly #options: ServiceSenderOptions;
  readonly #clock: Clock;
  readonly #timeline = new MediaTimeline(randomInt(2 ** 32));
  readonly #pacer: Pacer;
  readonly #sealer: GroupSealer;
  /** ms of media time in which the source had nothing. */
  #silence = 0;
  #mediaTime = 0;
  /** ms of the clock at which the open group was begun. */
  #groupSince: number | undefined;
  #period: ContentPeriod | undefined;

  /** How late packets went. */
  get lateness(): Lateness {
    return this.#pacer.lateness;
  }

  /** @throws OutOfRangeError naming the option and its range. */
  constructor(options: ServiceSenderOptions) {
    const { stream, source, profile, pace, clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#pacer = new Pacer(pace.speed, clock);
    this.#sealer = new GroupSealer({
      ssrc: stream.ssrc,
      mode: profile.mode,
      span: profile.span,
      every: profile.every,
      closingTime: profile.closingTime,
      payloadType: payloadTypeOf(source.format, source.file),
      firstSequence: randomInt(MAX_FIRST_SEQUENCE),
      random: randomBytes,
      aead: profile.aead ?? nodeAead,
      reusesMemory: true,
    });
  }

  /**
   * Sends until the source ends or `signal` aborts. The end of a programme is told to its receivers; where a live
   * source is stopped or fails, they wait for the sender to come back. A sender runs once.
   * @throws TransportError `SOURCE`, `UDP_SEND`.
   * @throws TollcastError `NO_PCR`, `GRANTS_ENDED`.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { stream, source, keys, to, pace, endsAtStop = false, resumes = false } = this.#options;
    const ports = await ServicePorts.open(to);
    const { mediaTime } = stream;
    const isLive = source.isLive === true;
    const announcer = new KeyAnnouncer(keys, ports.keys, this.#clock, { mediaTime, isLive: this.#isByClock });
    // A file that is stopped is not gone on with.
    let isOver = endsAtStop || (!isLive && !resumes);
    try {
      announcer.start();
      await this.#clock.sleep(pace.lead, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
      await this.#sendSource(announcer, ports, signal);
      isOver ||= !signal.aborted;
    } finally {
      await announcer.stop();
      const { packets, octets } = this.totals;
      const { timestamp } = this.#timeline.advance(0);
      if (isOver) await ports.sayGoodbye({ ssrc: stream.ssrc, timestamp, packets, octets }, this.#clock);
      await ports.close();
    }
  }

  /** Whether media time is the clock's: of what comes as time passes, and of what is sold by the clock. */
  get #isByClock(): boolean {
    return this.#options.source.isLive === true || this.#options.resumes === true;
  }

  async #sendSource(announcer: KeyAnnouncer, ports: ServicePorts, signal: AbortSignal): Promise<void> {
    const { source, profile, pace } = this.#options;
    const isLive = source.isLive === true;
    const packer = makePacker(this.#timeline, source.format, { ...profile, ...source, isLive });
    const check = this.#checkRate(isLive);
    const reading = {
      patience: () => this.#patience(packer),
      clock: this.#clock,
      signal,
      onChunk: check && check.add.bind(check),
    };
    for await (const { payloads, waited, isSilent, lag } of readPayloads(source.media, packer, reading)) {
      if (isSilent) await this.#send(this.#sealer.close(), ports, packer);
      if (payloads.length > 0 && waited >= LONG_SILENCE) this.#silence += waited * pace.speed;
      this.#pacer.catchUp(lag);
      for (const payload of payloads) {
        if (signal.aborted && !isLive) break;
        const mediaTime = this.#mediaTimeOf(payload);
        const period = this.#advance(mediaTime, announcer);
        // What is timed by its arrival is due when it comes, and not a group later.
        if (packer.startedAt !== undefined && this.totals.groups === 0) this.#pacer.startAt(packer.startedAt);
        const wasOpen = this.#sealer.isOpen;
        const closed = this.#sealer.push(payload, period, mediaTime);
        if (!wasOpen || closed.length > 0) this.#groupSince = this.#clock.monotonic();
        for (const group of closed) await this.#send(group, ports, packer);
      }
    }
    await this.#send(this.#sealer.close(), ports, packer);
  }

  /** Seconds since 1970: when it came, or when it goes out; without a clock, from the start of the stream on. */
  #mediaTimeOf({ at }: MediaPayload): number {
    const { stream, source } = this.#options;
    if (!this.#isByClock) return stream.mediaTime + Math.floor((at + this.#silence) / 1000);
    const wait = source.isLive === true || this.totals.groups === 0 ? 0 : this.#pacer.timeUntil(at);
    return Math.max(this.#mediaTime, stream.mediaTime, Math.floor((this.#clock.now() + wait) / 1000));
  }

  #checkRate(isLive: boolean): RateCheck | undefined {
    const { source, profile, onWrongRate } = this.#options;
    const { format, rate } = source;
    if (rate === undefined || onWrongRate === undefined || source.file !== undefined) return undefined;
    const hasClock = format !== 'lines' && format !== 'data';
    const own = { packing: profile.packing, isLive };
    return new RateCheck(rate, hasClock ? makePacker(new MediaTimeline(0), format, own) : undefined, onWrongRate);
  }

  /** ms until the open group has to be closed, whatever comes. */
  #patience({ startedAt }: Packer): number {
    const { closingTime } = this.#options.profile;
    if (startedAt === undefined || !this.#sealer.isOpen || this.#groupSince === undefined) return closingTime;
    return Math.max(0, this.#groupSince + closingTime - this.#clock.monotonic());
  }

  /** Gives the content key of a media time. The messages that are due then are on the wire before. */
  #advance(mediaTime: number, announcer: KeyAnnouncer): ContentPeriod {
    if (this.#period !== undefined && mediaTime === this.#mediaTime) return this.#period;
    announcer.advance(mediaTime);
    this.#mediaTime = mediaTime;
    const period = this.#options.keys.at(mediaTime);
    if (period !== this.#period) {
      this.totals.contentKeys += 1;
      if (period.segmentId !== this.#period?.segmentId) this.totals.segments += 1;
      this.#period = period;
      this.#options.onKey?.(period);
    }
    return period;
  }

  async #send(group: SealedGroup | undefined, ports: ServicePorts, { startedAt }: Packer): Promise<void> {
    if (group === undefined) return;
    const { octets, duration, packets } = group.header;
    if (this.totals.groups === 0 && startedAt === undefined) {
      this.#pacer.start(group.packets[0]!.at, Math.max(0, this.#options.profile.closingTime - duration));
    }
    const counted = this.#options.onGroup?.(group.header);
    if (counted !== undefined) await counted;
    const datagrams = group.packets.map((packet) => packet.octets);
    for (let from = 0; from < datagrams.length;) {
      const to = await this.#pacer.next(group.packets, from);
      ports.media.sendAll(datagrams, from, to);
      from = to;
    }
    // The sealer uses the memory again.
    await ports.media.drain(0);
    this.totals.octets += octets;
    this.totals.duration += duration;
    this.totals.packets += packets;
    this.totals.groups += 1;
  }
}
