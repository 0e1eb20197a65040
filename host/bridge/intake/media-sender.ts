import { type AssemblerOptions, GroupAssembler, type StreamDrop } from '../../stream/opening/group-assembler.ts';
import { PaceMeter } from '../price/pace-meter.ts';

/** Streams of one sender at a time; a service has one or two. */
const MAX_STREAMS = 4;

/**
 * One of those who send to the media port, told apart by address and port. What each sends is kept apart: nobody takes
 * another one's room, or comes before the other's packets.
 */
export class MediaSender {
  /** As `toSource` makes it. */
  readonly source: number;
  /** ms. */
  readonly firstArrival: number;
  /** ms, of its newest packet. */
  lastArrival: number;
  /** ms, when the newest of its groups was opened: then it was right. */
  openedAt = -Infinity;
  /** Card packets of it that the card refused since. */
  refused = 0;
  /** Whether it has lost its place to another one. */
  isForgotten = false;
  /** Number of its last turn at the card. */
  turn = 0;
  /** Octets of payload that the pace does not count yet. */
  octets = 0;
  readonly pace = new PaceMeter();
  /** Packets since `lookedAt`, in ms. */
  packets = 0;
  lookedAt: number;
  readonly #options: AssemblerOptions;
  /** By SSRC; the stream that has been silent longest stands first. */
  readonly #streams = new Map<number, GroupAssembler>();

  constructor(source: number, options: AssemblerOptions, now: number) {
    this.source = source;
    this.#options = options;
    this.firstArrival = now;
    this.lastArrival = now;
    this.lookedAt = now;
  }

  get streams(): ReadonlyMap<number, GroupAssembler> {
    return this.#streams;
  }

  get hasOpened(): boolean {
    return this.openedAt !== -Infinity;
  }

  /** Octets of memory in use. */
  get size(): number {
    let size = 0;
    for (const stream of this.#streams.values()) size += stream.size;
    return size;
  }

  /**
   * The stream of an SSRC, begun if it is new.
   * @param isKnown whether a content key of the card is for a stream; others make room first.
   */
  streamOf(ssrc: number, isKnown: (ssrc: number) => boolean): GroupAssembler {
    const known = this.#streams.get(ssrc);
    this.#streams.delete(ssrc);
    if (known === undefined && this.#streams.size >= MAX_STREAMS) this.#forget(isKnown);
    const stream = known ?? new GroupAssembler(this.#options);
    this.#streams.set(ssrc, stream);
    return stream;
  }

  dropped(reason: StreamDrop, packets: number): void {
    this.#options.onDrop(reason, packets);
  }

  /** Lets the groups go that have waited too long, and looks how fast it sends. */
  expire(now: number): void {
    if (this.octets > 0) this.pace.add(this.octets, now);
    this.octets = 0;
    for (const stream of this.#streams.values()) stream.expire(now);
  }

  /** Lets a group go of the stream that holds most. @returns whether there was one. */
  dropFarthest(): boolean {
    let largest: GroupAssembler | undefined;
    for (const stream of this.#streams.values()) {
      if (largest === undefined || stream.size > largest.size) largest = stream;
    }
    return largest?.dropFarthest() === true;
  }

  /** It has lost its place. Everything goes but a group that is taken. */
  forget(): void {
    this.isForgotten = true;
    for (const stream of this.#streams.values()) stream.clear();
    this.#streams.clear();
  }

  /** Makes room: a stream that was opened stays longest, then one that a key is for, then one that holds more. */
  #forget(isKnown: (ssrc: number) => boolean): void {
    let least: number | undefined;
    let leastWorth = Infinity;
    for (const [ssrc, stream] of this.#streams) {
      const worth = stream.size + (isKnown(ssrc) ? 2 ** 32 : 0) + (stream.hasOpened ? 2 ** 33 : 0);
      if (worth >= leastWorth) continue;
      least = ssrc;
      leastWorth = worth;
    }
    if (least === undefined) return;
    this.#streams.get(least)?.clear();
    this.#streams.delete(least);
  }
}
