import type { Clock } from '../../clock/clock.ts';
import type { MediaPayload } from '../../stream/sealing/group-sealer.ts';
import type { MediaChunk, MediaSource } from './media-source.ts';
import type { Packer } from './rate-packer.ts';

export interface ReadOptions {
  /** ms after which a silent source is reported, once; asked for before each wait. */
  readonly patience: () => number;
  readonly clock: Clock;
  /** Ends the reading of a file when it aborts. What comes as time passes is read to the end that it makes then. */
  readonly signal: AbortSignal;
  /** Called with all that is read. */
  readonly onChunk?: ((chunk: MediaChunk) => void) | undefined;
}

/** What one look at the source gave. */
export interface ReadPayloads {
  readonly payloads: readonly MediaPayload[];
  /** ms for which the source has been silent. */
  readonly waited: number;
  /** Whether it still is. */
  readonly isSilent: boolean;
  /** ms that these datagrams had waited before they were read; 0 where the source can be made to wait. */
  readonly lag: number;
}

/** Reads a source to its end, or until the signal aborts. */
export async function* readPayloads(
  source: MediaSource,
  packer: Packer,
  { patience, clock, signal, onChunk }: ReadOptions,
): AsyncGenerator<ReadPayloads> {
  const chunks = source[Symbol.asyncIterator]();
  for (;;) {
    const asked = clock.monotonic();
    const pending = chunks.next();
    if (await isSilent(pending, patience(), clock)) {
      yield { payloads: [], waited: clock.monotonic() - asked, isSilent: true, lag: 0 };
    }
    const next = await pending;
    if (next.done === true) break;
    const { octets, arrival, ends } = next.value;
    if (signal.aborted && arrival === undefined) return;
    onChunk?.(next.value);
    const now = clock.monotonic();
    const payloads = packer.push(octets, arrival, ends);
    yield { payloads, waited: now - asked, isSilent: false, lag: ends === undefined ? 0 : now - (arrival ?? now) };
  }
  yield { payloads: packer.flush(), waited: 0, isSilent: false, lag: 0 };
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
