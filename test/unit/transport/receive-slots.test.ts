import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ReceiveSlots } from '../../../host/transport/network/receive-slots.ts';

// struct mmsghdr: its iovec, its control message and the length of what came.
const HEADER = { octets: 64, iov: 16, controllen: 40, length: 56 };
const TRAIN_OF = 1000;

/** Plays the kernel: addresses are places in the memory of the slots. */
class Kernel {
  readonly slots: ReceiveSlots;
  readonly #view: DataView;

  constructor(hasTrains: boolean) {
    this.slots = new ReceiveSlots(hasTrains, () => 0);
    this.#view = new DataView(this.slots.memory.buffer);
  }

  /** Where each slot of the next call lies. */
  get places(): number[] {
    const places = Array.from({ length: this.slots.atOnce }, (_none, i) => {
      const vector = Number(this.#view.getBigUint64(HEADER.octets * i + HEADER.iov, true));
      return Number(this.#view.getBigUint64(vector, true));
    });
    return places;
  }

  /** Fills slots with datagrams that have one octet throughout each. */
  receive(fills: readonly (readonly number[])[]): void {
    for (const [i, octets] of fills.entries()) {
      const at = this.places[i]!;
      for (const [place, octet] of octets.entries()) {
        const from = at + place * TRAIN_OF;
        this.slots.memory.fill(octet, from, from + TRAIN_OF);
      }
      this.#view.setUint32(HEADER.octets * i + HEADER.length, octets.length * TRAIN_OF, true);
      // A control message of UDP GRO: length, level, type, octets of a segment.
      const control = Number(this.#view.getBigUint64(HEADER.octets * i + 32, true));
      if (octets.length < 2) continue;
      this.#view.setUint32(HEADER.octets * i + HEADER.controllen, 24, true);
      this.#view.setUint32(control + 8, 17, true);
      this.#view.setUint32(control + 12, 104, true);
      this.#view.setInt32(control + 16, TRAIN_OF, true);
    }
    this.slots.read(fills.length);
  }
}

test.each([
  ['trains', true],
  ['single datagrams', false],
])('what is kept stays as it came, and its memory is not received into, with %s', (_, hasTrains) => {
  const octet = fc.nat(255);
  const fill = fc.array(octet, { minLength: 1, maxLength: hasTrains ? 20 : 1 });
  const call = fc.record({
    fills: fc.array(fill, { maxLength: 4 }),
    // Which of the datagrams are kept, and how many of all that are kept go then, oldest first or newest first.
    keeps: fc.array(fc.boolean(), { minLength: 80, maxLength: 80 }),
    releases: fc.nat(100),
    oldest: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(call, { minLength: 1, maxLength: 60 }), (calls) => {
      const kernel = new Kernel(hasTrains);
      const kept: { octets: Uint8Array; octet: number; release(): void }[] = [];
      for (const { fills, keeps, releases, oldest } of calls) {
        kernel.receive(fills);
        expect(kernel.slots.datagrams.map((datagram) => datagram[0])).toEqual(fills.flat());
        for (const [i, octets] of kernel.slots.datagrams.entries()) {
          const memory = keeps[i] === true ? kernel.slots.keep(octets) : undefined;
          if (memory !== undefined) kept.push({ octets, octet: octets[0]!, release: () => memory.release() });
        }
        kernel.slots.reuse();
        const gone = oldest ? kept.splice(0, releases) : kept.splice(Math.max(0, kept.length - releases));
        for (const one of gone) one.release();
        const { places } = kernel;
        expect(new Set(places).size).toBe(places.length);
        for (const { octets } of kept) {
          expect(places.some((from) => octets.byteOffset >= from && octets.byteOffset < from + 1400)).toBe(false);
        }
        expect(kept.every(({ octets, octet: was }) => octets.every((now) => now === was))).toBe(true);
      }
    }),
    { numRuns: hasTrains ? 100 : 300 },
  );
});

test('when all memory is kept, the rest has to be copied, and later nothing is lost of it', () => {
  const kernel = new Kernel(true);
  const kept: { release(): void }[] = [];
  let copied = 0;
  for (let i = 0; i < 100; i++) {
    kernel.receive([[i], [i], [i], [i]]);
    for (const octets of kernel.slots.datagrams) {
      const memory = kernel.slots.keep(octets);
      if (memory === undefined) copied++;
      else kept.push(memory);
    }
    kernel.slots.reuse();
  }
  // Of 64 slots four are received into.
  expect([kept.length, copied]).toEqual([60, 340]);
  for (const memory of kept.splice(0)) memory.release();
  kernel.receive([[1], [2], [3], [4]]);
  expect(kernel.slots.datagrams.every((octets) => kernel.slots.keep(octets) !== undefined)).toBe(true);
});

test('octets that lie elsewhere are not kept', () => {
  const { slots } = new Kernel(false);
  expect(slots.keep(new Uint8Array(100))).toBeUndefined();
  expect(slots.keep(slots.memory.subarray(0, 10))).toBeUndefined();
});
