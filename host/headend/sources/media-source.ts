import { TransportError } from '../../../apdu/errors.ts';

/** Where the octets of a service come from. */
export interface MediaSource extends AsyncIterable<Uint8Array> {
  /** ms that the last chunk had waited before it was given; 0 where the source can be made to wait. */
  lag(): number;
}

/**
 * Makes the error of a source that cannot be read.
 * @param advice what to do next.
 */
export function makeSourceError(name: string, cause: unknown, advice: string): TransportError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new TransportError('SOURCE', `cannot read ${name} (${reason}); ${advice}`, { cause });
}
