import type { MediaPacket } from '../packet/media-packet.ts';
import { MOST_DATAGRAM } from '../packet/rtp-packet.ts';

/** Octets that a packet takes up, however short it is. */
export const PACKET_SLOT = MOST_DATAGRAM;
/** Slots made at a time. */
const SLAB = 64;

/** Memory for one packet, and a view of as much of it as the last packet took. */
interface Slot {
  readonly memory: Uint8Array;
  view: Uint8Array;
}

/** A packet in memory of the pool. */
export interface HeldPacket extends MediaPacket {
  readonly slot: Slot;
}

/** Memory for packets that is used again: what the collector would have to clear away costs more than all else that is done to a packet. */
export class PacketPool {
  readonly #free: Slot[] = [];

  /** Copies a packet in. */
  hold(packet: MediaPacket): HeldPacket {
    const slot = this.#free.pop() ?? this.#grow();
    const { octets, rtp, cardPacket, group } = packet;
    // Packets are mostly of one length, and a new view costs as much as the copy.
    if (slot.view.length !== octets.length) slot.view = slot.memory.subarray(0, octets.length);
    slot.view.set(octets);
    return { octets: slot.view, rtp, cardPacket, group, slot };
  }

  /** Takes a packet's memory back; nobody may look at the packet any more. */
  release(packet: HeldPacket): void {
    this.#free.push(packet.slot);
  }

  #grow(): Slot {
    const slab = new Uint8Array(SLAB * PACKET_SLOT);
    for (let i = 0; i < SLAB; i++) {
      const memory = slab.subarray(i * PACKET_SLOT, (i + 1) * PACKET_SLOT);
      this.#free.push({ memory, view: memory });
    }
    return this.#free.pop()!;
  }
}
