import { closeSync, openSync, writeSync } from 'node:fs';
import { TollcastError } from '../../../apdu/errors.ts';
import { toHex } from '../../../apdu/octets.ts';
import { isDiskFull } from '../../store/sqlite-error.ts';

/** The file that keeps, for the operator, what the card confirms of its grants. */
export class ConfirmFile {
  readonly #path: string;
  readonly #file: number;

  /** @throws TollcastError `CONFIRMS` when the file cannot be written. */
  static open(path: string): ConfirmFile {
    try {
      return new ConfirmFile(path, openSync(path, 'a', 0o600));
    } catch (cause) {
      throw confirmError(path, cause);
    }
  }

  private constructor(path: string, file: number) {
    this.#path = path;
    this.#file = file;
  }

  /** Appends a confirm, in hexadecimal. @returns the error when that fails. */
  add(confirm: Uint8Array): TollcastError | undefined {
    try {
      writeSync(this.#file, `${toHex(confirm)}\n`);
      return undefined;
    } catch (cause) {
      return confirmError(this.#path, cause);
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}

function confirmError(path: string, cause: unknown): TollcastError {
  const text = isDiskFull(cause)
    ? `there is no room left to write ${path}; free some, or name another file with --confirms`
    : `${path} cannot be written; name another file with --confirms`;
  return new TollcastError('CONFIRMS', text, { cause });
}
