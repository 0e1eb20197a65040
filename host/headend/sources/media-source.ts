import { TransportError } from '../../../apdu/errors.ts';
import { concat } from '../../../apdu/octets.ts';

/** Octets that came together. */
export interface MediaChunk {
  readonly octets: Uint8Array;
  /** ms of the clock at which they came; a file has none, as it is there before it is read. */
  readonly arrival?: number | undefined;
  /** Where each datagram ends in them, from a source of datagrams. */
  readonly ends?: readonly number[] | undefined;
}

/** Where the octets of a service come from. */
export type MediaSource = AsyncIterable<MediaChunk>;

/** Lays datagrams end to end. */
export function joinRecords(records: readonly Uint8Array[], arrival: number | undefined): MediaChunk {
  let end = 0;
  const ends = records.map(({ length }) => (end += length));
  return { octets: concat(...records), arrival, ends };
}

/** The datagrams of a chunk, or all of it where the source knows none. */
export function splitRecords({ octets, ends }: MediaChunk): readonly Uint8Array[] {
  if (ends === undefined) return [octets];
  return ends.map((end, i) => octets.subarray(ends[i - 1] ?? 0, end));
}

/**
 * Makes the error of a source that cannot be read.
 * @param advice what to do next.
 */
export function makeSourceError(name: string, cause: unknown, advice: string): TransportError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new TransportError('SOURCE', `cannot read ${name} (${reason}); ${advice}`, { cause });
}
