import type { MediaPacket } from '../packet/media-packet.ts';
import type { KeptMemory, PacketKeeper } from '../packet/packet-keeper.ts';
import { MAX_DATAGRAM } from '../packet/rtp-packet.ts';

/** Octets of one buffer, which holds one packet, however short it is. */
export const PACKET_BUFFER = MAX_DATAGRAM;
/** Buffers made at a time. */
const SLAB = 64;

/** A packet that is held until it is released. */
export interface HeldPacket extends MediaPacket {
  readonly memory: KeptMemory;
}

/**
 * Holds packets: where they lie, or else in buffers that are used again. To collect them as garbage costs more than all
 * else that is done to a packet.
 */
export class PacketPool {
  readonly #free: PacketBuffer[] = [];
  /** Octets of memory, used or not. */
  octets = 0;
  /** Of the packets that come now. */
  keeper: PacketKeeper | undefined;

  /** Holds a packet until it is released: its octets are copied where nobody keeps them. */
  hold({ octets, rtp, cardPacket, group }: MediaPacket): HeldPacket {
    const kept = this.keeper?.keep(octets);
    if (kept !== undefined) return { octets, rtp, cardPacket, group, memory: kept };
    const buffer = this.#free.pop() ?? this.#grow();
    return { octets: buffer.copy(octets), rtp, cardPacket, group, memory: buffer };
  }

  #grow(): PacketBuffer {
    const slab = new Uint8Array(SLAB * PACKET_BUFFER);
    this.octets += slab.length;
    const onFree = (buffer: PacketBuffer) => this.#free.push(buffer);
    for (let i = 0; i < SLAB; i++) {
      this.#free.push(new PacketBuffer(slab.subarray(i * PACKET_BUFFER, (i + 1) * PACKET_BUFFER), onFree));
    }
    return this.#free.pop()!;
  }
}

/** Memory for one packet, and a view of the part that the last packet took. */
class PacketBuffer implements KeptMemory {
  readonly #memory: Uint8Array;
  readonly #onFree: (buffer: PacketBuffer) => void;
  #view: Uint8Array;

  constructor(memory: Uint8Array, onFree: (buffer: PacketBuffer) => void) {
    this.#memory = memory;
    this.#view = memory;
    this.#onFree = onFree;
  }

  copy(octets: Uint8Array): Uint8Array {
    // Most packets have the same length, and a new view costs as much as the copy.
    if (this.#view.length !== octets.length) this.#view = this.#memory.subarray(0, octets.length);
    this.#view.set(octets);
    return this.#view;
  }

  release(): void {
    this.#onFree(this);
  }
}
