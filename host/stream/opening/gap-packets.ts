import { MAX_PACKETS } from '../../../apdu/decode-module/packets/card-part.ts';
import { hasSameOctets } from '../../../apdu/octets.ts';
import type { MediaPacket } from '../packet/media-packet.ts';
import type { HeldPacket, PacketPool } from './packet-pool.ts';

/** Gap packets held in all that have the sequence number of another one and other octets. Only opening tells the true one. */
const MAX_RIVALS = 512;
/** Of one sequence number. */
const MAX_RIVALS_OF_ONE = 16;
/** Sequence numbers are ordered by how far they are ahead of the first one that came: RFC 3550 A.1, up to so far. */
const FARTHEST_AHEAD = 0x7fff;
const SEQUENCE_NUMBERS = 0x10000;
const NONE: readonly HeldPacket[] = [];

/** The gap packets of one group from one sender, by sequence number. */
export class GapPackets {
  readonly #pool: PacketPool;
  /** The first packet of each sequence number, in rising order. */
  readonly #packets: HeldPacket[] = [];
  /** The others, by sequence number, in the order in which they came. */
  #rivals: Map<number, HeldPacket[]> | undefined;
  #rivalCount = 0;
  /** Sequence number of the one that came first. */
  #base = 0;

  constructor(pool: PacketPool) {
    this.#pool = pool;
  }

  /** Packets held, rivals included. */
  get count(): number {
    return this.#packets.length + this.#rivalCount;
  }

  /**
   * Takes in a packet, which the pool holds.
   * @returns `held`: the first of its sequence number; `rival`: held beside others.
   */
  add(packet: MediaPacket): 'held' | 'rival' | 'duplicate' | 'forged' {
    const packets = this.#packets;
    const { sequence } = packet.rtp;
    if (packets.length === 0) this.#base = sequence;
    const ahead = this.#aheadOf(sequence);
    let at = packets.length;
    // Rising numbers are the usual case, and need no search.
    if (at > 0 && this.#aheadOf(packets[at - 1]!.rtp.sequence) >= ahead) at = this.#findFrom(ahead);
    const twin = packets[at];
    if (twin?.rtp.sequence === sequence) return this.#addRival(twin, packet);
    if (packets.length >= MAX_PACKETS) return 'forged';
    const held = this.#pool.hold(packet);
    if (at === packets.length) packets.push(held);
    else packets.splice(at, 0, held);
    return 'held';
  }

  /** How many of `length` sequence numbers from this one on are here. */
  countFrom(sequence: number, length: number): number {
    const [from, to, wrapped] = this.#range(sequence, length);
    return to - from + wrapped;
  }

  /** The first packet of each of `length` sequence numbers from this one on, in their order. */
  from(sequence: number, length: number): readonly HeldPacket[] {
    const [from, to, wrapped] = this.#range(sequence, length);
    if (from === 0 && to === this.#packets.length) return this.#packets;
    const before = this.#packets.slice(from, to);
    return wrapped === 0 ? before : [...before, ...this.#packets.slice(0, wrapped)];
  }

  /** The packets with this sequence number besides the first. */
  rivalsOf(sequence: number): readonly HeldPacket[] {
    return this.#rivals?.get(sequence) ?? NONE;
  }

  /** All packets with this sequence number. */
  at(sequence: number): readonly HeldPacket[] {
    const first = this.#packets[this.#findFrom(this.#aheadOf(sequence))];
    return first?.rtp.sequence === sequence ? [first, ...this.rivalsOf(sequence)] : NONE;
  }

  /** Gives the memory of all packets back. */
  release(): void {
    for (const { memory } of this.#packets) memory.release();
    for (const rivals of this.#rivals?.values() ?? []) for (const { memory } of rivals) memory.release();
  }

  #addRival(twin: HeldPacket, packet: MediaPacket): 'rival' | 'duplicate' | 'forged' {
    const { sequence } = packet.rtp;
    const known = this.#rivals?.get(sequence) ?? [];
    if (hasSameOctets(twin.octets, packet.octets)) return 'duplicate';
    if (known.some((rival) => hasSameOctets(rival.octets, packet.octets))) return 'duplicate';
    if (known.length >= MAX_RIVALS_OF_ONE || this.#rivalCount >= MAX_RIVALS) return 'forged';
    known.push(this.#pool.hold(packet));
    this.#rivals ??= new Map();
    this.#rivals.set(sequence, known);
    this.#rivalCount++;
    return 'rival';
  }

  /** RFC 3550 A.1: -2^15 to 2^15 - 1. */
  #aheadOf(sequence: number): number {
    return ((sequence - this.#base) << 16) >> 16;
  }

  /** Where the first packet lies that is so far ahead, or farther. */
  #findFrom(ahead: number): number {
    const packets = this.#packets;
    let from = 0;
    let to = packets.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.#aheadOf(packets[middle]!.rtp.sequence) < ahead) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  /** Where a range begins and ends, and how many of it stand at the very beginning, as its numbers begin anew. */
  #range(sequence: number, length: number): readonly [from: number, to: number, wrapped: number] {
    const first = this.#aheadOf(sequence);
    const end = first + length;
    const from = this.#findFrom(first);
    if (end <= FARTHEST_AHEAD + 1) return [from, this.#findFrom(end), 0];
    return [from, this.#packets.length, this.#findFrom(end - SEQUENCE_NUMBERS)];
  }
}
