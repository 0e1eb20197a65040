import { MAX_DATAGRAM } from '../packet/rtp-packet.ts';

/** What packets are cut from. Memory of its own for each would cost more than all else in sealing but the cipher. */
export interface PacketMemory {
  /** A group begins. */
  begin(): void;
  /** @returns so many octets, whatever was in them before. */
  cut(length: number): Uint8Array;
}

/** Octets that are allocated at a time. */
const CHUNK = 0x10000;

/** Its packets are never written again. */
export class FreshPacketMemory implements PacketMemory {
  #chunk = new Uint8Array(0);

  begin(): void {}

  cut(length: number): Uint8Array {
    if (this.#chunk.length < length) this.#chunk = new Uint8Array(CHUNK);
    const packet = this.#chunk.subarray(0, length);
    this.#chunk = this.#chunk.subarray(length);
    return packet;
  }
}

/**
 * Room for two groups by turns: the packets of a group are written over when the group after the next one begins. Where
 * packets have the lengths that they had, nothing is allocated.
 */
export class ReusedPacketMemory implements PacketMemory {
  readonly #areas: readonly { readonly octets: Uint8Array; readonly packets: Uint8Array[] }[];
  #group = 0;
  #at = 0;
  #count = 0;

  /** @param packets the most of a group. */
  constructor(packets: number) {
    this.#areas = [0, 1].map(() => ({ octets: new Uint8Array(packets * MAX_DATAGRAM), packets: [] }));
  }

  begin(): void {
    this.#group += 1;
    this.#at = 0;
    this.#count = 0;
  }

  cut(length: number): Uint8Array {
    const { octets, packets } = this.#areas[this.#group % 2]!;
    let packet = packets[this.#count];
    if (packet?.byteOffset !== this.#at || packet.length !== length) {
      packet = octets.subarray(this.#at, this.#at + length);
      packets[this.#count] = packet;
    }
    this.#at += length;
    this.#count += 1;
    return packet;
  }
}
