import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { MediaSource } from '../../../../host/headend/index.ts';
import { ServiceCapture } from '../../../support/headend/service-capture.ts';
import { makeSender } from '../../../support/streams/test-sender.ts';

test.each([
  ['that ends says goodbye', false, {}, true],
  ['that is stopped says none: it may come back', true, {}, false],
  ['that is stopped for good says goodbye', true, { endsAtStop: true }, true],
])('a live source %s', async (_name, stops, more, isOver) => {
  await using capture = await ServiceCapture.start();
  const stop = new AbortController();
  const media: MediaSource = {
    async *[Symbol.asyncIterator]() {
      yield { octets: randomBytes(100), arrival: 0, ends: [100] };
      if (stops) stop.abort();
    },
  };
  const { sender } = await makeSender(capture, { source: { media, isLive: true }, ...more });
  await sender.run(stop.signal);
  await sleep(100);
  expect(capture.media).toHaveLength(1);
  expect(capture.control.length > 0).toBe(isOver);
});
