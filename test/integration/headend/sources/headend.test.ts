import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as settle, setTimeout as sleep } from 'node:timers/promises';
import { packets } from 'rtp.js';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { encodeCardId } from '../../../../apdu/decode-module/card-id.ts';
import { decodeCeilings } from '../../../../apdu/decode-module/keys/ceilings.ts';
import { decodeContentTerms } from '../../../../apdu/decode-module/keys/content-terms.ts';
import { detectFormat, type MediaSource, openSource } from '../../../../host/headend/index.ts';
import { ServiceCapture } from '../../../support/headend/service-capture.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';
import { makeClip, probeClip } from '../../../support/streams/test-clip.ts';
import { makeSender, type SenderChanges, sourceOf } from '../../../support/streams/test-sender.ts';

const CARD = encodeCardId({ issuer: 0xabcdef, moduleClass: 'soft', serial: 77 });
const DOWNLINK = randomBytes(16);
const NEVER = new AbortController().signal;

let directory: string;
let capture: ServiceCapture;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-headend-'));
  capture = await ServiceCapture.start();
});

afterEach(async () => {
  await capture.close();
  await rm(directory, { recursive: true, force: true });
});

/** Until so many media packets have been received, and no more. */
async function captured(count: number): Promise<void> {
  await vi.waitFor(() => expect(capture.media).toHaveLength(count), { timeout: 10_000 });
}

/** A sender to the capture, for one card. */
function makeCardSender(changes: SenderChanges) {
  const cards = [{ cardId: CARD, downlinkKey: DOWNLINK }];
  return makeSender(capture, { ...changes, keys: { cards, ...changes.keys } });
}

/** Runs a sender to its end and opens what was received, with the downlink key of the card alone. */
async function sendAndOpen(changes: SenderChanges) {
  const { sender, stream } = await makeCardSender(changes);
  await sender.run(NEVER);
  await sleep(50);
  const opened = capture.open(7, DOWNLINK);
  const octets = Buffer.concat(opened.groups.flatMap(({ payloads }) => payloads));
  const sum = (field: 'octets' | 'duration' | 'packets') =>
    opened.groups.reduce((total, group) => total + group[field], 0);
  return { sender, stream, ...opened, octets, sum };
}

describe('plain data', () => {
  const source = randomBytes(2_500_001);

  test('arrives whole, is counted once, and lasts as long as the rate says', async () => {
    const { sender, stream, groups, octets, sum, unwrapped } = await sendAndOpen({
      source: { media: sourceOf([source]), rate: 8_000_000 },
      pace: { speed: 5 },
    });
    expect(octets.equals(source)).toBe(true);
    expect(sum('octets')).toBe(source.length);
    expect(sum('duration')).toBe(2500);
    expect(sum('packets')).toBe(capture.media.length);
    expect(sender.totals).toEqual({
      octets: source.length,
      duration: 2500,
      packets: capture.media.length,
      groups: groups.length,
      contentKeys: 1,
      segments: 1,
    });
    expect(groups.map(({ group }) => group)).toEqual(groups.map((_group, i) => i + 1));
    expect(new Set(groups.map(({ ssrc }) => ssrc))).toEqual(new Set([stream.ssrc]));
    expect(stream.ssrc % 2).toBe(0);
    for (const [i, { index }] of groups.entries()) {
      if (i > 0) expect(index).toBe(groups[i - 1]!.index + groups[i - 1]!.packets);
    }
    for (const packet of capture.media) {
      expect(packet.length).toBeLessThanOrEqual(1400);
      expect(packet[1]! & 0x7f).toBe(96);
    }

    const [grant, segment, content] = unwrapped;
    expect([grant!.kind, segment!.kind, content!.kind]).toEqual([0x10, 0x11, 0x12]);
    expect(grant).toMatchObject({ parentId: 77, keyId: 1 });
    expect(grant!.to - grant!.from).toBe(86_400);
    expect(decodeCeilings(grant!.body)).toEqual({
      perMegabyte: 250_000n,
      perHour: 0n,
      flat: 0n,
      groupOctets: 131_600,
      groupDuration: 3250,
      quantum: 525_000n,
    });
    expect(decodeContentTerms(content!.body)).toMatchObject({
      tariff: { kind: 'octets', price: 250_000n },
      segmentId: segment!.keyId,
      ssrcs: [stream.ssrc],
    });
    expect(capture.firstKeyAt).toBeLessThan(capture.firstMediaAt);
  });

  test('ends with a BYE of its stream on the RTCP port', async () => {
    const { stream } = await sendAndOpen({
      source: { media: sourceOf([source.subarray(0, 20_000)]) },
      pace: { speed: 10 },
    });
    expect(capture.control.length).toBeGreaterThan(0);
    const { buffer, byteOffset, byteLength } = capture.control[0]!;
    const [report, , bye] = new packets.CompoundPacket(new DataView(buffer, byteOffset, byteLength)).getPackets();
    expect((bye as packets.ByePacket).getSsrcs()).toEqual([stream.ssrc]);
    expect((report as packets.SenderReportPacket).getOctetCount()).toBe(20_000);
  });

  test('is sent at its rate, without bursts that a small receive buffer would lose', async () => {
    const clock = new SimulatedClock();
    const { sender } = await makeCardSender({
      // 0.5 s of media; 5 ms are 19 packets, and 32 go together.
      source: { media: sourceOf([source]), rate: 40_000_000 },
      profile: { every: 1000, closingTime: 200 },
      clock,
    });
    const run = sender.run(NEVER);
    const bursts: number[] = [];
    for (let before = 0; sender.totals.octets < source.length; before = capture.media.length) {
      await clock.advance(5);
      // Node reads no more than 32 datagrams in a turn.
      for (let turn = 0; turn < 4; turn++) await settle();
      bursts.push(capture.media.length - before);
    }
    await clock.advanceUntil(run);
    expect(capture.media).toHaveLength(Math.ceil(source.length / 1316));
    expect(Math.max(...bursts)).toBeLessThanOrEqual(48);
    expect(bursts.filter((burst) => burst > 0).length).toBeGreaterThan(50);
  });
});

describe('a transport stream', () => {
  /** Ticks from the first PCR to the last, and octets between them: read apart from the code under test. */
  function clockOf(stream: Buffer): { ms: number; octets: number } {
    const pcrs: { ticks: number; at: number }[] = [];
    for (let at = 0; at + 188 <= stream.length; at += 188) {
      const [, , , control = 0, length = 0, flags = 0] = stream.subarray(at, at + 6);
      if ((control & 0x20) === 0 || length === 0 || (flags & 0x10) === 0) continue;
      const field = stream.readUIntBE(at + 6, 6);
      pcrs.push({ ticks: Math.floor(field / 2 ** 15) * 300 + (field % 512), at });
    }
    const [first, last] = [pcrs[0]!, pcrs.at(-1)!];
    return { ms: (last.ticks - first.ticks) / 27_000, octets: last.at - first.at };
  }

  test.each([
    ['sealed', { mode: 'sealed', every: 10, span: 208 }],
    ['open', { mode: 'open', every: 3, span: 32 }],
    ['strict', { mode: 'open', every: 1, span: 208, packing: 1 }],
  ] as const)(
    'in mode %s opens to the same file, lasts as long as its clock says, and ffprobe reads it',
    async (_name, profile) => {
      const path = join(directory, 'clip.ts');
      const clip = await makeClip(path, 3);
      const { format, media } = await detectFormat(await openSource(path, '127.0.0.1', NEVER));
      expect(format).toBe('ts');
      const { octets, sum, groups } = await sendAndOpen({
        profile,
        source: { media, format },
        pace: { speed: 6 },
      });
      expect(octets.equals(clip)).toBe(true);
      expect(sum('octets')).toBe(clip.length);
      const clock = clockOf(clip);
      // Before the first and after the last PCR the rate next to them holds: of one picture each.
      expect(sum('duration')).toBeGreaterThanOrEqual(Math.floor(clock.ms));
      expect(sum('duration')).toBeLessThan(clock.ms + 200);
      for (const packet of capture.media) expect(packet[1]! & 0x7f).toBe(33);
      for (const { payloads } of groups) for (const payload of payloads) expect(payload[0]).toBe(0x47);
      const recovered = join(directory, 'recovered.ts');
      await writeFile(recovered, octets);
      expect(await probeClip(recovered)).toEqual({ complaints: '', streams: ['audio', 'video'] });
    },
  );
});

describe('keys', () => {
  test('change by content period and segment, and every group is sealed under the key of its time', async () => {
    const source = randomBytes(1_300_000);
    // 130 s of media in 1.3 s.
    const { sender, groups, octets, unwrapped } = await sendAndOpen({
      source: { media: sourceOf([source]), rate: 80_000 },
      pace: { speed: 100 },
      keys: { period: 20, segment: 60 },
    });
    expect(octets.equals(source)).toBe(true);
    const copies = unwrapped.filter(({ kind }) => kind === 0x12);
    const segments = unwrapped.filter(({ kind }) => kind === 0x11);
    expect(sender.totals).toMatchObject({ contentKeys: 7, segments: 3 });
    // The first content key of a segment comes under the segment key before, too.
    const contents = copies.filter(({ body, parentId }) => body.readUInt32BE(8) === parentId);
    expect(contents).toHaveLength(7);
    expect(copies).toHaveLength(9);
    expect(segments).toHaveLength(3);
    for (const { mediaTime, contentKeyId } of groups) {
      const content = contents.find(({ keyId }) => keyId === contentKeyId)!;
      const segment = segments.find(({ keyId }) => keyId === content.parentId)!;
      expect(mediaTime).toBeGreaterThanOrEqual(content.from);
      expect(mediaTime).toBeLessThan(content.to - 5);
      expect(mediaTime).toBeLessThan(segment.to - 5);
      expect(content.to).toBeLessThanOrEqual(segment.to);
    }
    const salts = contents.map(({ body }) => body.subarray(24, 36).toString('hex'));
    expect(new Set(salts).size).toBe(7);
  });

  test('go on when the purchases end, which the cards see to', async () => {
    const { sender, stream } = await makeCardSender({
      source: { media: sourceOf([randomBytes(300_000)]), rate: 80_000 },
      pace: { speed: 100 },
      keys: { granted: 20, period: 20 },
    });
    await sender.run(NEVER);
    await sleep(50);
    expect(sender.totals).toMatchObject({ octets: 300_000, duration: 30_000, contentKeys: 2 });
    const { unwrapped } = capture.open(7, DOWNLINK);
    const grant = unwrapped.find(({ kind }) => kind === 0x10);
    expect(grant?.to).toBe(stream.mediaTime + 20);
    const contents = unwrapped.filter(({ kind }) => kind === 0x12);
    expect(contents.at(-1)!.to).toBeGreaterThan(stream.mediaTime + 40);
  });
});

describe('a source', () => {
  test('that falls silent has its group closed after the closing time', async () => {
    const source: MediaSource = {
      async *[Symbol.asyncIterator]() {
        yield { octets: randomBytes(1316 * 3) };
        // Silent until its group has come: what is not closed by time never comes.
        await captured(3);
        yield { octets: randomBytes(1316) };
      },
    };
    const { sender } = await makeCardSender({
      source: { media: source, rate: 100_000_000 },
      profile: { closingTime: 200 },
    });
    await sender.run(NEVER);
    await captured(4);
    expect(capture.open(7, DOWNLINK).groups.map((group) => group.packets)).toEqual([3, 1]);
  });

  test('that was silent for an hour goes on at the media time of the present', async () => {
    const clock = new SimulatedClock();
    const source: MediaSource = {
      async *[Symbol.asyncIterator]() {
        yield { octets: randomBytes(1316) };
        await clock.sleep(3_600_000);
        yield { octets: randomBytes(1316) };
      },
    };
    const { sender } = await makeCardSender({ source: { media: source, rate: 100_000_000 }, clock });
    await clock.advanceUntil(sender.run(NEVER));
    await captured(2);
    const [first, second] = capture.open(7, DOWNLINK).groups;
    expect(second!.mediaTime - first!.mediaTime).toBe(3600);
  });

  test('is not waited for when the run is interrupted while only keys are sent', async () => {
    const clock = new SimulatedClock();
    const { sender } = await makeCardSender({ pace: { lead: 60_000 }, clock });
    const stop = new AbortController();
    const run = sender.run(stop.signal);
    await vi.waitFor(async () => {
      await clock.advance(1);
      expect(capture.keys.length).toBeGreaterThan(0);
    });
    stop.abort();
    await clock.advanceUntil(run);
    expect(clock.monotonic()).toBeLessThan(10_000);
    expect(capture.media).toEqual([]);
  });

  test('that is not there is named in the error, with what to do', async () => {
    const missing = join(directory, 'no such clip.ts');
    await expect(openSource(missing, '127.0.0.1', NEVER)).rejects.toMatchObject({
      code: 'SOURCE',
      message: expect.stringContaining('name a file that is there') as string,
    });
    await expect(openSource(directory, '127.0.0.1', NEVER)).rejects.toMatchObject({
      code: 'SOURCE',
      message: expect.stringContaining('(it is a folder); name a file that is there') as string,
    });
    await expect(openSource('https://tv.example/a.m3u8', '127.0.0.1', NEVER)).rejects.toMatchObject({
      code: 'SOURCE',
      message: expect.stringContaining('nothing is read by https; pipe it in, as in: ffmpeg -i https://tv.') as string,
    });
  });

  test.each(['udp://', 'udp://239.1.1.1', 'udp://239.1.1.1:0', 'udp://a.b:5000', 'udp://300.1.1.1:5'])(
    'named "%s" is refused',
    async (address) => {
      await expect(openSource(address, '127.0.0.1', NEVER)).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
    },
  );

  test('that fails ends the run, with a BYE', async () => {
    const broken: MediaSource = {
      async *[Symbol.asyncIterator]() {
        yield { octets: randomBytes(5000) };
        throw new Error('the disk is gone');
      },
    };
    const { sender } = await makeCardSender({ source: { media: broken } });
    await expect(sender.run(NEVER)).rejects.toThrow('the disk is gone');
    await sleep(50);
    expect(capture.control.length).toBeGreaterThan(0);
  });
});

test('an interface that this machine does not have is named in the error, with the option to use', async () => {
  const { address, port } = capture;
  const { sender } = await makeSender({ address, port, interface: '192.0.2.1' }, {});
  await expect(sender.run(NEVER)).rejects.toMatchObject({
    code: 'UDP_SEND',
    message: expect.stringContaining('--interface') as string,
  });
});
