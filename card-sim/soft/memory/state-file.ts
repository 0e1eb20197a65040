import {
  closeSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { TransportError } from '../../../apdu/errors.ts';
import type { CardStore } from './eeprom.ts';
import { lockFile } from './state-lock.ts';

/**
 * Keeps a soft card in a file that its owner alone can read (mode 600). Each image is written beside the file, synced
 * and renamed, so that after a crash the file holds a whole image. The file is locked until `close`.
 */
export class StateFile implements CardStore {
  readonly #path: string;
  readonly #unlock: () => void;
  /** Identity of the file that was read or written last. */
  #seen: string | undefined;

  /** @throws TransportError `CARD_IN_USE` when another has it, `SOFT_CARD_FILE` when it cannot be locked. */
  constructor(path: string) {
    this.#path = path;
    this.#unlock = readable(path, () => lockFile(path));
  }

  close(): void {
    this.#unlock();
  }

  /** @throws TransportError `SOFT_CARD_FILE` when it cannot be read. */
  load(): Uint8Array | undefined {
    return readable(this.#path, () => {
      this.#seen = identityOf(this.#path);
      return this.#seen === undefined ? undefined : readFileSync(this.#path);
    });
  }

  /**
   * @throws TransportError `CARD_IN_USE` when another program has written the file since, whatever the lock says;
   *   `SOFT_CARD_FILE` when it cannot be written.
   */
  save(image: Uint8Array): void {
    if (identityOf(this.#path) !== this.#seen) {
      throw new TransportError('CARD_IN_USE', `another program uses the soft card ${this.#path}; close one of the two`);
    }
    try {
      this.#replace(image);
    } catch (cause) {
      const text = `the soft card ${this.#path} cannot be written (${reasonOf(cause)})`;
      throw new TransportError(
        'SOFT_CARD_FILE',
        `${text}; what it last kept is still there: check its folder and its disk`,
        { cause },
      );
    }
  }

  #replace(image: Uint8Array): void {
    const beside = `${this.#path}.new`;
    // A file that a crash left may have another mode.
    rmSync(beside, { force: true });
    const file = openSync(beside, 'wx', 0o600);
    try {
      // Throws when the disk takes only a part.
      writeFileSync(file, image);
      fsyncSync(file);
      this.#seen = identity(fstatSync(file, { bigint: true }));
    } finally {
      closeSync(file);
    }
    renameSync(beside, this.#path);
    const folder = openSync(dirname(this.#path), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  }
}

/** Runs what reads the file. @throws TransportError `SOFT_CARD_FILE` when that fails. */
function readable<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof TransportError) throw cause;
    const text = `the soft card ${path} cannot be read (${reasonOf(cause)}); check its folder, or name another file`;
    throw new TransportError('SOFT_CARD_FILE', text, { cause });
  }
}

/** As the system names it: EACCES. */
function reasonOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
}

function identityOf(path: string): string | undefined {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? undefined : identity(stat);
}

/** Inode and time of the last change, which a rename keeps. */
function identity({ ino, mtimeNs }: { readonly ino: bigint; readonly mtimeNs: bigint }): string {
  return `${ino} ${mtimeNs}`;
}
