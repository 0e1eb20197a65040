import {
  ASSEMBLER_DEFAULTS,
  type AssemblerOptions,
  GroupAssembler,
  type StreamDrop,
} from '../stream/opening/group-assembler.ts';
import type { HeldCardPacket, PacketGroup } from '../stream/opening/packet-group.ts';
import { readMediaPacket } from '../stream/packet/media-packet.ts';

/** Streams at a time; a service has one or two. */
const MAX_STREAMS = 4;

/** A group whose turn it is. */
export interface TakenGroup {
  readonly group: PacketGroup;
  readonly card: HeldCardPacket;
  readonly stream: GroupAssembler;
}

/** Sorts the datagrams of the media port by stream (SSRC). */
export class MediaIntake {
  readonly #options: AssemblerOptions;
  /** By SSRC; the stream that has been silent longest stands first. */
  readonly #streams = new Map<number, GroupAssembler>();
  #newest: { ssrc: number; stream: GroupAssembler } | undefined;
  /** ms, of the newest packet; -Infinity before. */
  lastArrival = -Infinity;

  constructor(onDrop: (reason: StreamDrop, packets: number) => void, options: Partial<AssemblerOptions> = {}) {
    this.#options = { ...ASSEMBLER_DEFAULTS, ...options, onDrop };
  }

  /** Takes in datagrams; what is held of them is copied. */
  add(datagrams: readonly Uint8Array[], now: number): void {
    for (const datagram of datagrams) {
      const packet = readMediaPacket(datagram);
      if (packet === undefined) {
        this.#options.onDrop('malformed', 1);
        continue;
      }
      const { ssrc } = packet.rtp;
      if (this.#newest?.ssrc !== ssrc) this.#newest = { ssrc, stream: this.#streamOf(ssrc) };
      this.#newest.stream.add(packet, now);
      this.lastArrival = now;
    }
  }

  /** The groups to ask the card about next. At most one of each stream, so that none keeps another waiting. */
  *take(now: number): Generator<TakenGroup, void, undefined> {
    for (const stream of this.#streams.values()) {
      const taken = stream.take(now);
      if (taken !== undefined) yield { ...taken, stream };
    }
  }

  /** Whether it holds, or lately held, packets of this stream. */
  hasStream(ssrc: number): boolean {
    return this.#streams.has(ssrc);
  }

  /** Lets the groups go that have waited too long. `take` does it too. */
  expire(now: number): void {
    for (const stream of this.#streams.values()) stream.expire(now);
  }

  /** When `take` may have something if nothing comes before; Infinity when nothing is held. */
  get dueAt(): number {
    let due = Infinity;
    for (const stream of this.#streams.values()) due = Math.min(due, stream.dueAt);
    return due;
  }

  /** Whether no group is held. */
  get isEmpty(): boolean {
    for (const stream of this.#streams.values()) if (stream.groups > 0) return false;
    return true;
  }

  #streamOf(ssrc: number): GroupAssembler {
    const known = this.#streams.get(ssrc);
    this.#streams.delete(ssrc);
    if (known === undefined && this.#streams.size >= MAX_STREAMS) this.#forget();
    const stream = known ?? new GroupAssembler(this.#options);
    this.#streams.set(ssrc, stream);
    return stream;
  }

  /** Makes room: a stream of which no group was opened goes first, then the one that has been silent longest. */
  #forget(): void {
    let ssrc: number | undefined;
    for (const [candidate, stream] of this.#streams) {
      ssrc ??= candidate;
      if (!stream.hasOpened) {
        ssrc = candidate;
        break;
      }
    }
    if (ssrc === undefined) return;
    this.#streams.get(ssrc)?.clear();
    this.#streams.delete(ssrc);
  }
}
