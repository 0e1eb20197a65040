import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { FormatError, TransportError } from '../../../apdu/errors.ts';
import type { CardStore, Change } from './eeprom.ts';
import { readStateFile } from './state-content.ts';
import { lockFile, noRoomBeside } from './state-lock.ts';
import { type FileWrite, StateRing } from './state-ring.ts';

/** Rights of everybody but the owner. */
const OTHERS = 0o077;

/**
 * Keeps a soft card in a file that its owner alone can read (mode 600), with checksums. A change is written in place, as
 * `StateRing` says, and `sync` waits for the disk beside the event loop. A new file, one of an older form and a change of
 * the whole card are written beside the file, synced and renamed. What the card was when the file was opened stays in
 * `FILE.bak`. The file is locked until `close`.
 */
export class StateFile implements CardStore {
  readonly #path: string;
  readonly #unlock: () => void;
  /** Identity of the file that was read or written last. */
  #seen: string | undefined;
  /** Of the file, once something is written; undefined where that has another form yet. */
  #ring: StateRing | undefined;
  #descriptor: number | undefined;
  #hasOlder = false;
  #isDirty = false;
  #syncing: Promise<void> | undefined;
  #failure: TransportError | undefined;

  /** @throws TransportError `CARD_IN_USE` when another has it, `SOFT_CARD_FILE` when it cannot be locked. */
  constructor(path: string) {
    this.#path = path;
    this.#unlock = readable(path, () => lockFile(path));
  }

  close(): void {
    try {
      if (this.#isDirty) this.#syncNow();
    } catch {
      // Nobody has got an answer yet for what was not synced.
    }
    this.#letGo();
    this.#unlock();
  }

  /** Closes the file, but not under a sync that is on. */
  #letGo(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor === undefined) return;
    const close = () => closeSync(descriptor);
    if (this.#syncing === undefined) close();
    else void this.#syncing.then(close, close);
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
    if (octets === undefined) return undefined;
    try {
      const { ring, image } = readStateFile(octets);
      this.#ring = ring;
      return image;
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
  save(image: Uint8Array, changes: readonly Change[]): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (identityOf(this.#path) !== this.#seen) {
      throw new TransportError('CARD_IN_USE', `another program uses the soft card ${this.#path}; close one of the two`);
    }
    try {
      if (!this.#hasOlder) keepOlder(this.#path);
      this.#hasOlder = true;
      if (this.#ring?.mustSync === true) this.#syncNow();
      const writes = this.#ring?.next(image, changes);
      if (writes === undefined) this.#replace(image);
      else this.#write(writes);
    } catch (cause) {
      throw this.#fail(cause);
    }
  }

  sync(): Promise<void> | undefined {
    if (!this.#isDirty) return this.#syncing;
    this.#isDirty = false;
    const syncing = this.#syncLater(this.#ring!, this.#descriptor!, this.#syncing);
    this.#syncing = syncing;
    return syncing;
  }

  async #syncLater(ring: StateRing, descriptor: number, before: Promise<void> | undefined): Promise<void> {
    const { sequence } = ring;
    try {
      await before;
      await syncData(descriptor);
      ring.markDurable(sequence);
    } catch (cause) {
      throw this.#fail(cause);
    } finally {
      if (!this.#isDirty && ring.sequence === sequence) this.#syncing = undefined;
    }
  }

  #syncNow(): void {
    if (this.#descriptor === undefined || this.#ring === undefined) return;
    fdatasyncSync(this.#descriptor);
    this.#ring.markDurable(this.#ring.sequence);
    this.#isDirty = false;
  }

  #write(writes: readonly FileWrite[]): void {
    this.#descriptor ??= openSync(this.#path, 'r+');
    this.#isDirty = true;
    for (const { at, octets } of writes) {
      if (writeSync(this.#descriptor, octets, 0, octets.length, at) !== octets.length) throw new Error('cut short');
    }
    this.#seen = identity(fstatSync(this.#descriptor, { bigint: true }));
  }

  #replace(image: Uint8Array): void {
    const beside = `${this.#path}.new`;
    // A file that a crash left may have another mode.
    rmSync(beside, { force: true });
    const { ring, octets } = StateRing.make(image, randomBytes(16));
    const file = openSync(beside, 'wx', 0o600);
    try {
      // Throws when the disk takes only a part.
      writeFileSync(file, octets);
      fsyncSync(file);
      this.#seen = identity(fstatSync(file, { bigint: true }));
      renameSync(beside, this.#path);
    } catch (cause) {
      closeSync(file);
      throw cause;
    }
    this.#letGo();
    this.#descriptor = file;
    this.#ring = ring;
    this.#isDirty = false;
    syncFolder(dirname(this.#path));
  }

  /** After a write or a sync that failed nobody knows what the disk has: nothing more is written. */
  #fail(cause: unknown): TransportError {
    const text = `the soft card ${this.#path} cannot be written (${reasonOf(cause)})`;
    this.#failure ??= new TransportError(
      'SOFT_CARD_FILE',
      `${text}; what it last kept is still there: check its folder and its disk`,
      { cause },
    );
    return this.#failure;
  }
}

const syncData = promisify(fdatasync);

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
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

/** Lets `FILE.bak` be what the file is now, before anything is written. */
function keepOlder(path: string): void {
  const older = `${path}.bak`;
  rmSync(older, { force: true });
  try {
    copyFileSync(path, older, constants.COPYFILE_EXCL);
  } catch {
    // A new card has none. The card does not depend on it.
  }
}

/** What to do about a file that cannot be used. */
function adviceFor(path: string): string {
  const older = `${path}.bak`;
  try {
    readStateFile(readFileSync(older));
    const time = statSync(older).mtime.toISOString();
    return `${older} is whole, as the card was when it was opened last (${time}): give it the name of the other to go on with it`;
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
