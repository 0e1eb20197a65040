import type { MediaPacket } from '../packet/media-packet.ts';
import { MAX_DATAGRAM } from '../packet/rtp-packet.ts';

/** Octets of one buffer, which holds one packet, however short it is. */
export const PACKET_BUFFER = MAX_DATAGRAM;
/** Buffers made at a time. */
const SLAB = 64;

/** Memory for one packet, and a view of the part that the last packet took. */
interface PacketBuffer {
  readonly memory: Uint8Array;
  view: Uint8Array;
}

/** A packet in memory of the pool. */
export interface HeldPacket extends MediaPacket {
  readonly buffer: PacketBuffer;
}

/** Buffers that are used again. To collect them as garbage costs more than all else that is done to a packet. */
export class PacketPool {
  readonly #free: PacketBuffer[] = [];
  /** Octets of memory, used or not. */
  octets = 0;

  /** Copies a packet in. */
  hold(packet: MediaPacket): HeldPacket {
    const buffer = this.#free.pop() ?? this.#grow();
    const { octets, rtp, cardPacket, group } = packet;
    // Most packets have the same length, and a new view costs as much as the copy.
    if (buffer.view.length !== octets.length) buffer.view = buffer.memory.subarray(0, octets.length);
    buffer.view.set(octets);
    return { octets: buffer.view, rtp, cardPacket, group, buffer };
  }

  /** Takes a packet's buffer back. The packet must not be used any more. */
  release(packet: HeldPacket): void {
    this.#free.push(packet.buffer);
  }

  #grow(): PacketBuffer {
    const slab = new Uint8Array(SLAB * PACKET_BUFFER);
    this.octets += slab.length;
    for (let i = 0; i < SLAB; i++) {
      const memory = slab.subarray(i * PACKET_BUFFER, (i + 1) * PACKET_BUFFER);
      this.#free.push({ memory, view: memory });
    }
    return this.#free.pop()!;
  }
}
