/** Primary result codes of SQLite; https://www.sqlite.org/rescode.html. */
export const SQLITE = { ERROR: 1, BUSY: 5, READONLY: 8, CORRUPT: 11, FULL: 13, CANTOPEN: 14, NOTADB: 26 } as const;

/** Whether SQLite reported one of these primary result codes. */
export function isSqliteError(error: unknown, ...codes: readonly number[]): boolean {
  if (!(error instanceof Error) || !('errcode' in error)) return false;
  // The upper octets say more about the same code.
  return typeof error.errcode === 'number' && codes.includes(error.errcode & 0xff);
}

/** Whether something could not be written as there is no room, for a database or any other file. */
export function isDiskFull(error: unknown): boolean {
  if (isSqliteError(error, SQLITE.FULL)) return true;
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}
