import {
  closeSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import process from 'node:process';
import { FormatError, TransportError } from '../../../apdu/errors.ts';
import type { CardStore } from './eeprom.ts';
import { frameImage, unframeImage } from './state-frame.ts';
import { lockFile, noRoomBeside } from './state-lock.ts';

/** Rights of everybody but the owner. */
const OTHERS = 0o077;

/**
 * Keeps a soft card in a file that its owner alone can read (mode 600), with a checksum. Each image is written beside
 * the file, synced and renamed, so that after a crash the file holds a whole image; the image before it stays in
 * `FILE.bak`. The file is locked until `close`.
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

  /**
   * @throws TransportError `SOFT_CARD_FILE` when it cannot be read, or others can read it too.
   * @throws FormatError when it is damaged or not a soft card; an older copy that is whole is named.
   */
  load(): Uint8Array | undefined {
    const octets = readable(this.#path, () => {
      this.#seen = identityOf(this.#path);
      if (this.#seen === undefined) return undefined;
      requirePrivateFile(this.#path);
      return readFileSync(this.#path);
    });
    try {
      return octets && unframeImage(octets);
    } catch (cause) {
      if (!(cause instanceof FormatError)) throw cause;
      const text = `the soft card ${this.#path} cannot be used: ${cause.message}`;
      throw new FormatError(`${text}; ${adviceFor(this.#path)}`, { cause });
    }
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
      writeFileSync(file, frameImage(image));
      fsyncSync(file);
      this.#seen = identity(fstatSync(file, { bigint: true }));
    } finally {
      closeSync(file);
    }
    keepOlder(this.#path);
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
    const reason = reasonOf(cause);
    if (reason === 'ENOSPC' || reason === 'EDQUOT') throw noRoomBeside(path, cause);
    const text = `the soft card ${path} cannot be read (${reason}); check its folder, or name another file`;
    throw new TransportError('SOFT_CARD_FILE', text, { cause });
  }
}

/** Lets `FILE.bak` be what the file is now. It is a second name, so nothing is copied. */
function keepOlder(path: string): void {
  const older = `${path}.bak`;
  rmSync(older, { force: true });
  try {
    linkSync(path, older);
  } catch {
    // A new card has none, and not every file system gives a file two names. The card does not depend on it.
  }
}

/** What to do about a file that cannot be used. */
function adviceFor(path: string): string {
  const older = `${path}.bak`;
  try {
    unframeImage(readFileSync(older));
    const time = statSync(older).mtime.toISOString();
    return `${older} is whole and older by one change (${time}): give it the name of the other to go on with it`;
  } catch {
    return 'name another file, or take this one away and personalise a new card';
  }
}

/** @throws TransportError `SOFT_CARD_FILE` for a FIFO or a device, and for a file that others may read or write. */
function requirePrivateFile(path: string): void {
  const stat = statSync(path);
  if (!stat.isFile() && !stat.isDirectory()) {
    throw new TransportError('SOFT_CARD_FILE', `the soft card ${path} is not a file; name another one`);
  }
  // Windows has no such rights.
  if (stat.isFile() && (stat.mode & OTHERS) !== 0 && process.platform !== 'win32') {
    const mode = (stat.mode & 0o777).toString(8);
    throw new TransportError(
      'SOFT_CARD_FILE',
      `others than its owner have a right to the soft card ${path} (mode ${mode}), and so to its keys; ` +
        `type: chmod 600 ${path}`,
    );
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
