import { toSource } from './datagram-source.ts';

// Linux on x86-64 and arm64: struct mmsghdr, iovec, sockaddr_in and cmsghdr, with pointers of 8 octets.
const MMSGHDR = {
  size: 64,
  name: 0,
  namelen: 8,
  iov: 16,
  iovlen: 24,
  control: 32,
  controllen: 40,
  length: 56,
} as const;
const SOCKADDR_IN = { size: 16, port: 2, address: 4 } as const;
const IOVEC = { size: 16, length: 8 } as const;
const CMSGHDR = { size: 24, level: 8, type: 12, data: 16 } as const;
const SOL_UDP = 17;
const UDP_GRO = 104;

/** Octets for one datagram: more than the 1,400 that a packet may have, so that a longer one is seen as such. */
const DATAGRAM = 1408;
/** Octets of the datagrams that the kernel hands on as one, and how many those are at most. */
const TRAIN = 65_536;
const MAX_TRAIN = 128;

/** How the memory is cut: many slots for a datagram each, or fewer for trains of them. */
const PLAIN = { slots: 256, octets: DATAGRAM } as const;
const WITH_TRAINS = { slots: 64, octets: TRAIN } as const;

/**
 * The memory that one call of recvmmsg fills, used again by each. The kernel writes through addresses that the garbage
 * collector does not see, so what they point to lives as long as this object.
 */
export class ReceiveSlots {
  /** The array of struct mmsghdr stands at its beginning. */
  readonly memory: Uint8Array;
  readonly slots: number;
  readonly #view: DataView;
  readonly #octets: number;
  readonly #hasTrains: boolean;
  readonly #namesFrom: number;
  readonly #controlsFrom: number;
  readonly #buffersFrom: number;
  /** By slot and place in the train. Most datagrams have one length, and a new view costs as much as a system call's share. */
  readonly #views: Uint8Array[][];
  /** What the newest call of `read` found. */
  readonly datagrams: Uint8Array[] = [];
  sources = new Float64Array(PLAIN.slots);

  /** @param hasTrains whether the kernel may hand on several datagrams as one (UDP_GRO). */
  constructor(hasTrains: boolean, addressOf: (memory: Uint8Array) => number) {
    const { slots, octets } = hasTrains ? WITH_TRAINS : PLAIN;
    this.slots = slots;
    this.#octets = octets;
    this.#hasTrains = hasTrains;
    const vectorsFrom = slots * MMSGHDR.size;
    this.#namesFrom = vectorsFrom + slots * IOVEC.size;
    this.#controlsFrom = this.#namesFrom + slots * SOCKADDR_IN.size;
    this.#buffersFrom = this.#controlsFrom + slots * CMSGHDR.size;
    this.memory = new Uint8Array(this.#buffersFrom + slots * octets);
    this.#view = new DataView(this.memory.buffer);
    this.#views = Array.from({ length: slots }, () => []);
    const at = addressOf(this.memory);
    for (let i = 0; i < slots; i++) {
      const header = i * MMSGHDR.size;
      const vector = vectorsFrom + i * IOVEC.size;
      setPointer(this.#view, header + MMSGHDR.name, at + this.#namesFrom + i * SOCKADDR_IN.size);
      this.#view.setUint32(header + MMSGHDR.namelen, SOCKADDR_IN.size, true);
      setPointer(this.#view, header + MMSGHDR.iov, at + vector);
      this.#view.setUint32(header + MMSGHDR.iovlen, 1, true);
      if (hasTrains) setPointer(this.#view, header + MMSGHDR.control, at + this.#controlsFrom + i * CMSGHDR.size);
      this.#resetControl(i);
      setPointer(this.#view, vector, at + this.#buffersFrom + i * octets);
      this.#view.setUint32(vector + IOVEC.length, octets, true);
    }
  }

  /** Reads what a call left in so many slots into `datagrams` and `sources`. Both are valid until the next call. */
  read(slots: number): void {
    this.datagrams.length = 0;
    for (let i = 0; i < slots; i++) {
      const length = this.#view.getUint32(i * MMSGHDR.size + MMSGHDR.length, true);
      const name = this.#namesFrom + i * SOCKADDR_IN.size;
      const port = this.#view.getUint16(name + SOCKADDR_IN.port);
      const source = toSource(this.#view.getUint32(name + SOCKADDR_IN.address), port);
      const each = this.#hasTrains ? this.#segmentOf(i, length) : length;
      if (each >= length) this.#push(i, 0, 0, length, source);
      else
        for (let at = 0, n = 0; at < length; at += each, n++) this.#push(i, n, at, Math.min(each, length - at), source);
    }
  }

  #push(slot: number, place: number, at: number, length: number, source: number): void {
    const from = this.#buffersFrom + slot * this.#octets + at;
    const views = this.#views[slot]!;
    let view = views[place];
    if (view?.byteOffset !== from || view.length !== length) {
      view = this.memory.subarray(from, from + length);
      if (place < MAX_TRAIN) views[place] = view;
    }
    const count = this.datagrams.push(view);
    if (count > this.sources.length) this.sources = grow(this.sources);
    this.sources[count - 1] = source;
  }

  /** Octets of each datagram of a train but the last, as the kernel says in a control message; `length` without one. */
  #segmentOf(slot: number, length: number): number {
    const header = slot * MMSGHDR.size;
    const control = this.#controlsFrom + slot * CMSGHDR.size;
    const view = this.#view;
    const isTrain =
      view.getUint32(header + MMSGHDR.controllen, true) >= CMSGHDR.data + 4 &&
      view.getUint32(control + CMSGHDR.level, true) === SOL_UDP &&
      view.getUint32(control + CMSGHDR.type, true) === UDP_GRO;
    const each = isTrain ? view.getInt32(control + CMSGHDR.data, true) : length;
    // The kernel has overwritten how much room there is.
    this.#resetControl(slot);
    return each > 0 ? each : length;
  }

  #resetControl(slot: number): void {
    this.#view.setUint32(slot * MMSGHDR.size + MMSGHDR.controllen, this.#hasTrains ? CMSGHDR.size : 0, true);
  }
}

function grow(sources: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(2 * sources.length);
  larger.set(sources);
  return larger;
}

function setPointer(view: DataView, at: number, address: number): void {
  view.setUint32(at, address % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(address / 2 ** 32), true);
}
