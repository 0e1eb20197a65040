import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import type { TestNetwork, TestService } from './test-service.ts';

/**
 * Sends a clip at its pace, until the end of the test.
 * @param options.payload octets of a packet.
 * @returns what ends it before.
 */
export function sendAtPace(
  network: TestNetwork,
  service: TestService,
  { clip, seconds, payload = 1316 }: { readonly clip: Buffer; readonly seconds: number; readonly payload?: number },
): () => Promise<void> {
  const state = { isOver: false };
  const began = performance.now();
  const count = Math.floor(clip.length / payload);
  const sending = (async () => {
    for (let next = 0; next < count && !state.isOver; await sleep(40)) {
      const due = Math.min(count, Math.ceil((count * (performance.now() - began)) / (1000 * seconds)));
      const part = Array.from({ length: due - next }, (_none, i) =>
        clip.subarray((next + i) * payload, (next + i + 1) * payload),
      );
      if (part.length > 0) await network.groups(service.seal(part));
      next = due;
    }
  })();
  const stop = () => {
    state.isOver = true;
    return sending;
  };
  onTestFinished(stop);
  return stop;
}
