import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { encodeCardId } from '../../../../apdu/decode-module/card-id.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import type { MediaSource } from '../../../../host/headend/index.ts';
import { ServiceCapture } from '../../../support/headend/service-capture.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';
import { makeSender } from '../../../support/streams/test-sender.ts';

const CARD = encodeCardId({ issuer: 0xabcdef, moduleClass: 'soft', serial: 77 });
const DOWNLINK = randomBytes(16);
const HOUR = 3600;
const MONTH = 30 * 24 * HOUR;
const PERIOD = 300;
/** Seconds for which a message is valid after the time of its key. */
const GRACE = 5;
/** bit/s; a payload lasts 105.28 s, so every content key has two of them or three. */
const RATE = 100;
const PAYLOAD = 1316;
const PAYLOADS = Math.floor((MONTH * RATE) / (8 * PAYLOAD));

test('a month of content keys and hourly segments: every group opens under the key of its time', async () => {
  await using capture = await ServiceCapture.start();
  const octets = randomBytes(PAYLOAD);
  const media: MediaSource = {
    async *[Symbol.asyncIterator]() {
      for (let i = 0; i < PAYLOADS; i++) yield { octets };
    },
  };
  const clock = new SimulatedClock();
  const { sender, stream } = await makeSender(capture, {
    clock,
    source: { media, rate: RATE },
    // A month passes in 43 minutes of the clock; keys are announced 30 ms ahead of their use.
    pace: { speed: 1000 },
    keys: {
      granted: MONTH,
      period: PERIOD,
      segment: HOUR,
      cards: [{ cardId: CARD, downlinkKey: DOWNLINK }],
    },
  });
  await clock.advanceUntil(sender.run(new AbortController().signal));
  await sleep(50);
  expect(sender.totals).toMatchObject({
    octets: PAYLOADS * PAYLOAD,
    groups: PAYLOADS,
    contentKeys: MONTH / PERIOD,
    segments: MONTH / HOUR,
  });

  const { unwrapped: all, groups } = capture.open(7, DOWNLINK);
  // The keys of the time after it are announced, too.
  const unwrapped = all.filter(({ from }) => from < stream.mediaTime + MONTH);
  const segments = new Map(unwrapped.filter(({ kind }) => kind === KIND.segment).map((key) => [key.keyId, key]));
  const contents = new Map(unwrapped.filter(({ kind }) => kind === KIND.content).map((key) => [key.keyId, key]));
  expect([segments.size, contents.size]).toEqual([MONTH / HOUR, MONTH / PERIOD]);
  expect([...contents.values()].map(({ from }) => from)).toEqual(
    Array.from({ length: MONTH / PERIOD }, (_none, i) => stream.mediaTime + i * PERIOD),
  );
  expect(groups).toHaveLength(PAYLOADS);
  const faults: string[] = [];
  for (const { group, mediaTime, contentKeyId, payloads } of groups) {
    const content = contents.get(contentKeyId)!;
    const segment = segments.get(content.parentId)!;
    const isOfItsTime = content.from <= mediaTime && mediaTime < content.to - GRACE;
    const isInSegment = segment.from <= content.from && content.to <= segment.to;
    if (!isOfItsTime || !isInSegment || !payloads[0]!.equals(octets)) faults.push(`group ${group} at ${mediaTime}`);
  }
  expect(faults).toEqual([]);
}, 60_000);
