import { TransportError } from '../../../apdu/errors.ts';

/** Octets that came together. */
export interface MediaChunk {
  readonly octets: Uint8Array;
  /** ms of the clock at which they came; a file has none, as it is there before it is read. */
  readonly arrival?: number | undefined;
}

/** Where the octets of a service come from. */
export type MediaSource = AsyncIterable<MediaChunk>;

/**
 * Makes the error of a source that cannot be read.
 * @param advice what to do next.
 */
export function makeSourceError(name: string, cause: unknown, advice: string): TransportError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new TransportError('SOURCE', `cannot read ${name} (${reason}); ${advice}`, { cause });
}
