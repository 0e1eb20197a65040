import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { CardGoneError, FormatError } from '../../../apdu/errors.ts';
import { TEST_KEY_SET } from '../../../apdu/secure-channel/test-key-set.ts';
import { type CardStore, SoftCard, StateFile } from '../../../card-sim/index.ts';
import { blankImage } from '../../../card-sim/soft/memory/card-image.ts';
import type { Change } from '../../../card-sim/soft/memory/eeprom.ts';
import { type FileWrite, StateRing } from '../../../card-sim/soft/memory/state-ring.ts';
import { SoftChannel } from '../../../host/transport/card/soft/soft-channel.ts';
import { Dice } from '../../support/streams/flooded-bridge.ts';

const SECTOR = 512;
const SELECT = Uint8Array.of(0, 0xa4, 4, 0, 0);
const folder = mkdtempSync(join(tmpdir(), 'state-ring-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A file in memory: what the disk has for certain, and what was written since and may have got there or not. */
class Disk {
  readonly image = blankImage(TEST_KEY_SET);
  readonly dice = new Dice(7);
  readonly ring: StateRing;
  readonly durable: Uint8Array;
  written: FileWrite[] = [];
  /** The image at the last sync and after each write since. */
  images: Uint8Array[];

  constructor() {
    const { ring, octets } = StateRing.make(this.image, randomBytes(16));
    this.ring = ring;
    this.durable = octets;
    this.images = [this.image.slice()];
  }

  /** A change as a take makes it: a purse record, and sometimes a segment that was paid. */
  change(): readonly FileWrite[] {
    const changes: Change[] = [{ at: 8000 + 176 * this.dice.next(60), octets: this.dice.octets(176) }];
    if (this.dice.next(3) === 0) changes.push({ at: 300, octets: this.dice.octets(8) });
    for (const { at, octets } of changes) this.image.set(octets, at);
    const writes = this.ring.next(this.image, changes)!;
    this.written.push(...writes);
    this.images.push(this.image.slice());
    return writes;
  }

  sync(): void {
    for (const { at, octets } of this.written.splice(0)) this.durable.set(octets, at);
    this.ring.markDurable(this.ring.sequence);
    this.images = [this.image.slice()];
  }

  /** What the disk may have after a power cut: of each sector written since the last sync the old octets or the new. */
  cut(): Uint8Array {
    const file = this.durable.slice();
    for (const { at, octets } of this.written) {
      for (let from = 0; from < octets.length; from += SECTOR) {
        if (this.dice.next(2) === 0) file.set(octets.subarray(from, from + SECTOR), at + from);
      }
    }
    return file;
  }
}

describe("the ring of a soft card's file", () => {
  test('after a power cut at any write holds the card after one of the writes since the last sync, never less', () => {
    const disk = new Disk();
    for (let i = 0; i < 300; i++) {
      if (disk.ring.mustSync || disk.dice.next(4) === 0) disk.sync();
      disk.change();
      for (let cut = 0; cut < 3; cut++) {
        const { image } = StateRing.read(disk.cut());
        expect(disk.images.some((one) => Buffer.compare(one, image) === 0)).toBe(true);
      }
    }
  });

  test('cut off at any octet of a write holds the card before or after it', () => {
    const disk = new Disk();
    for (let i = 0; i < 70; i++) {
      disk.sync();
      const writes = disk.change();
      const file = disk.durable.slice();
      for (const { at, octets } of writes) {
        for (let end = 0; end <= octets.length; end += octets.length > 2000 ? 1999 : 101) {
          file.set(octets.subarray(0, end), at);
          const { image } = StateRing.read(file);
          expect(disk.images.some((one) => Buffer.compare(one, image) === 0)).toBe(true);
        }
        file.set(octets, at);
      }
      expect(Buffer.compare(StateRing.read(file).image, disk.image)).toBe(0);
    }
  });

  test('goes on after a power cut without what the cut left of later writes', () => {
    const disk = new Disk();
    for (let i = 0; i < 40; i++) {
      disk.change();
      disk.sync();
    }
    disk.change();
    const [lost] = disk.written.splice(0);
    disk.change();
    const file = disk.durable.slice();
    for (const { at, octets } of disk.written) file.set(octets, at);
    expect(lost).toBeDefined();
    const { ring, image } = StateRing.read(file);
    expect(Buffer.compare(image, disk.images[0]!)).toBe(0);
    image[400] = 77;
    for (const { at, octets } of ring.next(image, [{ at: 400, octets: Uint8Array.of(77) }])!) file.set(octets, at);
    expect(Buffer.compare(StateRing.read(file).image, image)).toBe(0);
  });

  test('loses nothing to a flipped bit, wherever it is, or says that it is damaged', () => {
    const disk = new Disk();
    for (let i = 0; i < 100; i++) {
      disk.change();
      disk.sync();
    }
    let refused = 0;
    for (let at = 0; at < disk.durable.length; at += at < SECTOR ? 1 : 83) {
      const damaged = disk.durable.slice();
      damaged[at]! ^= 1 << (at % 8);
      try {
        expect([at, Buffer.compare(StateRing.read(damaged).image, disk.image)]).toEqual([at, 0]);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(0);
    expect(refused).toBeLessThan(SECTOR);
  });

  test('finds that a record is gone which was on the disk', () => {
    const disk = new Disk();
    for (let i = 0; i < 100; i++) {
      disk.change();
      disk.sync();
    }
    disk.change();
    const { at, octets } = disk.written[0]!;
    disk.sync();
    disk.change();
    disk.sync();
    disk.durable.fill(0, at, at + octets.length);
    expect(() => StateRing.read(disk.durable)).toThrow(FormatError);
  });
});

describe('the file', () => {
  function makeFile(name: string): string {
    const path = join(folder, name);
    const file = new StateFile(path);
    new SoftCard(file).erase();
    file.close();
    return path;
  }

  test('of a newer version is refused and left as it is', () => {
    const path = makeFile('newer');
    const octets = readFileSync(path);
    octets[5] = 4;
    writeFileSync(path, octets);
    const file = new StateFile(path);
    expect(() => file.load()).toThrow(
      `the soft card ${path} cannot be used: it was written by a newer tollcast; use that one`,
    );
    file.close();
    expect(readFileSync(path).equals(octets)).toBe(true);
  });

  test('is written in place, and waits for the disk beside the event loop', async () => {
    const path = makeFile('in-place');
    const file = new StateFile(path);
    const image = file.load()!.slice();
    const before = statSync(path);
    for (let i = 0; i < 100; i++) {
      image[400] = i;
      file.save(image, [{ at: 400, octets: Uint8Array.of(i) }]);
      const synced = file.sync();
      expect(synced).toBeInstanceOf(Promise);
      await synced;
      expect(file.sync()).toBeUndefined();
    }
    file.close();
    expect([statSync(path).ino, statSync(path).size]).toEqual([before.ino, before.size]);
    const again = new StateFile(path);
    expect(Buffer.compare(again.load()!, image)).toBe(0);
    again.close();
  });

  test('that is damaged says so, and names the older copy, which is whole', async () => {
    const path = makeFile('damaged');
    const file = new StateFile(path);
    const card = new SoftCard(file);
    // One change in place makes the copy.
    card.restore(card.memory);
    file.close();
    const damaged = readFileSync(path).fill(1, 0, 30_000);
    damaged.set([0x54, 0x43, 0x53, 0x46, 0, 3]);
    writeFileSync(path, damaged);
    const again = new StateFile(path);
    expect(() => again.load()).toThrow(
      new RegExp(`^the soft card ${path} cannot be used: it is damaged: .*; ${path}.bak is whole, as the card was `),
    );
    again.close();
  });
});

test('no answer of a soft card goes out before what was written for it survives a power cut', async () => {
  const syncs: (() => void)[] = [];
  let pending: Promise<void> | undefined;
  const store: CardStore = {
    load: () => undefined,
    save() {
      pending = new Promise((resolve) => syncs.push(resolve));
    },
    sync: () => pending,
  };
  const card = new SoftCard(store);
  const channel = new SoftChannel(card);
  card.erase();
  let answers = 0;
  const first = channel.transmit(SELECT).then(() => answers++);
  const second = channel.transmit(SELECT).then(() => answers++);
  await new Promise(setImmediate);
  expect(answers).toBe(0);
  syncs.forEach((done) => done());
  await Promise.all([first, second]);
  expect(answers).toBe(2);
});

test('a soft card whose file cannot be synced is gone, without an answer', async () => {
  const store: CardStore = {
    load: () => undefined,
    save: () => undefined,
    sync: () => Promise.reject(new Error('EIO')),
  };
  const channel = new SoftChannel(new SoftCard(store));
  await expect(channel.transmit(SELECT)).rejects.toThrow('EIO');
  await expect(channel.transmit(SELECT)).rejects.toThrow(CardGoneError);
});
