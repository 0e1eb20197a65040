import type { Clock } from '../../clock/clock.ts';
import type { MediaPayload } from '../../stream/sealing/group-sealer.ts';
import type { MediaSource } from './media-source.ts';
import type { Packer } from './rate-packer.ts';

export interface ReadOptions {
  /** ms after which a silent source is reported, once. */
  readonly patience: number;
  readonly clock: Clock;
  /** Ends the reading when it aborts. */
  readonly signal: AbortSignal;
}

/** What one look at the source gave. */
export interface ReadPayloads {
  readonly payloads: readonly MediaPayload[];
  /** ms for which the source has been silent; without payloads it still is. */
  readonly waited: number;
  /** ms that these octets of the source had waited before they were read; 0 where it can be made to wait. */
  readonly lag: number;
}

/** Reads a source to its end, or until the signal aborts. */
export async function* readPayloads(
  source: MediaSource,
  packer: Packer,
  { patience, clock, signal }: ReadOptions,
): AsyncGenerator<ReadPayloads> {
  const chunks = source[Symbol.asyncIterator]();
  for (;;) {
    const asked = clock.monotonic();
    const pending = chunks.next();
    // A sleep may end up to 1 ms early by `monotonic`.
    if (await isSilent(pending, patience, clock)) {
      yield { payloads: [], waited: Math.max(patience, clock.monotonic() - asked), lag: 0 };
    }
    const next = await pending;
    if (signal.aborted) return;
    if (next.done === true) break;
    const { octets, arrival } = next.value;
    const now = clock.monotonic();
    yield { payloads: packer.push(octets, arrival), waited: now - asked, lag: now - (arrival ?? now) };
  }
  yield { payloads: packer.flush(), waited: 0, lag: 0 };
}

async function isSilent(pending: Promise<unknown>, patience: number, clock: Clock): Promise<boolean> {
  const given = new AbortController();
  const silence = clock.sleep(patience, given.signal).then(
    () => true,
    () => false,
  );
  try {
    return await Promise.race([pending.then(() => false), silence]);
  } finally {
    given.abort();
  }
}
