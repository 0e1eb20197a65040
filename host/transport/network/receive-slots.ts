import type { KeptMemory } from '../../stream/packet/packet-keeper.ts';
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

/**
 * How the memory is cut: many slots for a datagram each, or fewer for trains of them; and how many one call fills. What
 * it brings is opened before the next call, while the processor's cache still has it.
 */
const PLAIN = { slots: 2048, octets: DATAGRAM, atOnce: 64 } as const;
const WITH_TRAINS = { slots: 64, octets: TRAIN, atOnce: 4 } as const;

/**
 * The memory that calls of recvmmsg fill. A slot is filled again by the next call, unless somebody keeps a datagram in
 * it. The kernel writes through addresses that the garbage collector does not see, so what they point to lives as long as
 * this object.
 */
export class ReceiveSlots {
  /** The array of struct mmsghdr stands at its beginning. */
  readonly memory: Uint8Array;
  /** Slots that one call fills at most. */
  readonly atOnce: number;
  readonly #view: DataView;
  readonly #octets: number;
  readonly #hasTrains: boolean;
  readonly #namesFrom: number;
  readonly #controlsFrom: number;
  readonly #buffersFrom: number;
  readonly #vectorsFrom: number;
  readonly #memoryAt: number;
  readonly #slots: readonly ReceiveSlot[];
  /** Those that the next call fills. */
  readonly #next: ReceiveSlot[];
  /** The others that nobody keeps anything in; the one that was given back last is used first. */
  readonly #free: ReceiveSlot[];
  /** Slots of the newest call that somebody keeps something in. */
  #keptOfNext = 0;
  /** What the newest call of `read` found. */
  readonly datagrams: Uint8Array[] = [];
  sources = new Float64Array(PLAIN.atOnce);

  /** @param hasTrains whether the kernel may hand on several datagrams as one (UDP_GRO). */
  constructor(hasTrains: boolean, addressOf: (memory: Uint8Array) => number) {
    const { slots, octets, atOnce } = hasTrains ? WITH_TRAINS : PLAIN;
    this.atOnce = atOnce;
    this.#octets = octets;
    this.#hasTrains = hasTrains;
    this.#vectorsFrom = atOnce * MMSGHDR.size;
    this.#namesFrom = this.#vectorsFrom + atOnce * IOVEC.size;
    this.#controlsFrom = this.#namesFrom + atOnce * SOCKADDR_IN.size;
    this.#buffersFrom = this.#controlsFrom + atOnce * CMSGHDR.size;
    this.memory = new Uint8Array(this.#buffersFrom + slots * octets);
    this.#view = new DataView(this.memory.buffer);
    const at = (this.#memoryAt = addressOf(this.memory));
    this.#slots = Array.from({ length: slots }, (_none, i) => {
      return new ReceiveSlot(this.#buffersFrom + i * octets, (slot) => this.#free.push(slot));
    });
    this.#free = this.#slots.toReversed();
    this.#next = [];
    for (let i = 0; i < atOnce; i++) {
      const header = i * MMSGHDR.size;
      const vector = this.#vectorsFrom + i * IOVEC.size;
      setPointer(this.#view, header + MMSGHDR.name, at + this.#namesFrom + i * SOCKADDR_IN.size);
      this.#view.setUint32(header + MMSGHDR.namelen, SOCKADDR_IN.size, true);
      setPointer(this.#view, header + MMSGHDR.iov, at + vector);
      this.#view.setUint32(header + MMSGHDR.iovlen, 1, true);
      if (hasTrains) setPointer(this.#view, header + MMSGHDR.control, at + this.#controlsFrom + i * CMSGHDR.size);
      this.#resetControl(i);
      this.#view.setUint32(vector + IOVEC.length, octets, true);
      this.#setNext(i);
    }
  }

  /** Reads what a call left in so many slots into `datagrams` and `sources`. Both are valid until `reuse`. */
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

  /**
   * Keeps one of `datagrams` where it lies, beyond `reuse`.
   * @returns nothing where too few slots would be left: it has to be copied then.
   */
  keep(datagram: Uint8Array): KeptMemory | undefined {
    if (datagram.buffer !== this.memory.buffer) return undefined;
    const slot = this.#slots[Math.floor((datagram.byteOffset - this.#buffersFrom) / this.#octets)];
    if (slot === undefined) return undefined;
    if (slot.kept === 0) {
      if (this.#keptOfNext >= this.#free.length) return undefined;
      this.#keptOfNext++;
    }
    slot.kept++;
    return slot;
  }

  /** What was read has been taken in: slots that nobody keeps anything in are filled again. */
  reuse(): void {
    this.#keptOfNext = 0;
    for (let i = 0; i < this.#next.length; i++) if (this.#next[i]!.kept > 0) this.#setNext(i);
  }

  #setNext(place: number): void {
    const last = this.#next[place];
    if (last !== undefined) last.isNext = false;
    // `keep` leaves enough of them.
    const slot = this.#free.pop()!;
    slot.isNext = true;
    this.#next[place] = slot;
    setPointer(this.#view, this.#vectorsFrom + place * IOVEC.size, this.#memoryAt + slot.from);
  }

  #push(place: number, number: number, at: number, length: number, source: number): void {
    const slot = this.#next[place]!;
    const from = slot.from + at;
    let view = slot.views[number];
    if (view?.byteOffset !== from || view.length !== length) {
      view = this.memory.subarray(from, from + length);
      if (number < MAX_TRAIN) slot.views[number] = view;
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

/** Memory that one datagram, or a train of them, is received in. */
class ReceiveSlot implements KeptMemory {
  /** Where it begins in the memory of all. */
  readonly from: number;
  /** By place in the train. Most datagrams have one length, and a new view costs as much as a system call's share. */
  readonly views: Uint8Array[] = [];
  /** Datagrams that are kept in it. */
  kept = 0;
  /** Whether the newest call filled it, or the next one will. */
  isNext = false;
  readonly #onFree: (slot: ReceiveSlot) => void;

  constructor(from: number, onFree: (slot: ReceiveSlot) => void) {
    this.from = from;
    this.#onFree = onFree;
  }

  release(): void {
    this.kept--;
    if (this.kept === 0 && !this.isNext) this.#onFree(this);
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
