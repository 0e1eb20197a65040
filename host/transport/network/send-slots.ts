// Linux on x86-64 and arm64: struct mmsghdr, iovec and cmsghdr, with pointers of 8 octets.
const MMSGHDR = { size: 64, iov: 16, iovlen: 24, control: 32, controllen: 40 } as const;
const IOVEC = { size: 16, length: 8 } as const;
const CMSGHDR = { size: 24, length: 0, level: 8, type: 12, data: 16 } as const;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
/** Octets of a control message with its u16, without what aligns the next one. */
const CMSG_LENGTH = 18;

/** Datagrams that one call of sendmmsg takes. A receive buffer of 212,992 octets holds nearly twice as many. */
const MAX_BATCH = 48;
/** Octets that the kernel cuts into datagrams: the most that one IPv4 datagram may have. */
const MAX_TRAIN = 65_507;

const VECTORS_FROM = MAX_BATCH * MMSGHDR.size;
const CONTROLS_FROM = VECTORS_FROM + MAX_BATCH * IOVEC.size;

/**
 * The memory of one call of sendmmsg, used again by each: it names the datagrams by address. Datagrams of one length that
 * follow each other become a train, which the kernel cuts (UDP_SEGMENT): one message with the length of each.
 */
export class SendSlots {
  /** Where the array of struct mmsghdr stands. */
  readonly address: number;
  /** Datagrams of each message that `fill` made. */
  readonly datagrams = new Uint8Array(MAX_BATCH);
  readonly #words: DataView;
  readonly #at: (octets: Uint8Array) => number;

  constructor(addressOf: (octets: Uint8Array) => number) {
    this.#at = addressOf;
    const memory = new Uint8Array(MAX_BATCH * (MMSGHDR.size + IOVEC.size + CMSGHDR.size));
    this.#words = new DataView(memory.buffer);
    this.address = addressOf(memory);
    for (let i = 0; i < MAX_BATCH; i++) {
      const control = CONTROLS_FROM + i * CMSGHDR.size;
      this.#setPointer(i * MMSGHDR.size + MMSGHDR.control, this.address + control);
      this.#words.setUint32(control + CMSGHDR.length, CMSG_LENGTH, true);
      this.#words.setInt32(control + CMSGHDR.level, SOL_UDP, true);
      this.#words.setInt32(control + CMSGHDR.type, UDP_SEGMENT, true);
    }
  }

  /**
   * Names datagrams from `from` on, up to `to` and to {@link MAX_BATCH}.
   * @param hasTrains whether the kernel may be given trains.
   * @returns how many messages there are.
   */
  fill(datagrams: readonly Uint8Array[], from: number, to: number, hasTrains: boolean): number {
    const end = Math.min(to, from + MAX_BATCH);
    let messages = 0;
    let vectors = 0;
    for (let next = from; next < end; messages++) {
      const each = datagrams[next]!.length;
      const maxOctets = hasTrains && each > 0 ? MAX_TRAIN : -1;
      const header = messages * MMSGHDR.size;
      const firstVector = vectors;
      this.#setPointer(header + MMSGHDR.iov, this.address + VECTORS_FROM + vectors * IOVEC.size);
      let octets = 0;
      let count = 0;
      let tail = -1;
      do {
        const datagram = datagrams[next]!;
        const at = this.#at(datagram);
        octets += datagram.length;
        // What lies side by side is named once.
        if (at === tail) this.#extend(vectors - 1, datagram.length);
        else this.#setVector(vectors++, at, datagram.length);
        tail = at + datagram.length;
        next += 1;
        count += 1;
      } while (next < end && datagrams[next]!.length === each && octets + each <= maxOctets);
      this.datagrams[messages] = count;
      this.#words.setUint32(header + MMSGHDR.iovlen, vectors - firstVector, true);
      this.#words.setUint32(header + MMSGHDR.controllen, count > 1 ? CMSGHDR.size : 0, true);
      if (count > 1) this.#words.setUint16(CONTROLS_FROM + messages * CMSGHDR.size + CMSGHDR.data, each, true);
    }
    return messages;
  }

  #setVector(vector: number, address: number, length: number): void {
    const at = VECTORS_FROM + vector * IOVEC.size;
    this.#setPointer(at, address);
    this.#words.setUint32(at + IOVEC.length, length, true);
  }

  #extend(vector: number, by: number): void {
    const at = VECTORS_FROM + vector * IOVEC.size + IOVEC.length;
    this.#words.setUint32(at, this.#words.getUint32(at, true) + by, true);
  }

  #setPointer(at: number, address: number): void {
    this.#words.setUint32(at, address % 2 ** 32, true);
    this.#words.setUint32(at + 4, Math.floor(address / 2 ** 32), true);
  }
}
