import { setTimeout as sleep } from 'node:timers/promises';
import type { MediaPayload } from '../../stream/sealing/group-sealer.ts';
import type { MediaSource } from './media-source.ts';
import type { Packer } from './rate-packer.ts';

/** What came of one look at the source. */
export interface ReadPayloads {
  readonly payloads: readonly MediaPayload[];
  /** ms that the source has been waited for; it goes on being waited for when there are no payloads. */
  readonly waited: number;
}

/**
 * Reads a source to its end, or until `signal` aborts.
 * @param patience ms after which a source that is silent is reported, once.
 */
export async function* readPayloads(
  source: MediaSource,
  packer: Packer,
  patience: number,
  signal: AbortSignal,
): AsyncGenerator<ReadPayloads> {
  const chunks = source[Symbol.asyncIterator]();
  for (;;) {
    const asked = performance.now();
    const pending = chunks.next();
    // Timers fire up to 1 ms before performance.now() says so.
    if (await isSilent(pending, patience)) {
      yield { payloads: [], waited: Math.max(patience, performance.now() - asked) };
    }
    const next = await pending;
    if (signal.aborted) return;
    if (next.done === true) break;
    yield { payloads: packer.push(next.value), waited: performance.now() - asked };
  }
  yield { payloads: packer.flush(), waited: 0 };
}

async function isSilent(pending: Promise<unknown>, patience: number): Promise<boolean> {
  const timer = new AbortController();
  const silence = sleep(patience, true, { signal: timer.signal }).catch(() => true);
  try {
    return await Promise.race([pending.then(() => false), silence]);
  } finally {
    timer.abort();
  }
}
