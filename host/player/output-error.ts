import { TransportError } from '../../apdu/errors.ts';

/** Says why an output cannot be written or opened. */
export function outputError(where: string, cause: unknown): TransportError {
  if (hasCode(cause, 'ENOSPC') || hasCode(cause, 'EDQUOT')) {
    const message = `there is no room left to write ${where}; free some, or name another place with --out`;
    return new TransportError('OUTPUT', message, { cause });
  }
  const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  return new TransportError('OUTPUT', `cannot write to ${where} (${reason}); name another place with --out`, { cause });
}

/** Whether the system failed for this reason. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
