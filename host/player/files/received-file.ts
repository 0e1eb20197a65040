import { createHash } from 'node:crypto';
import { closeSync, constants, existsSync, openSync, readFileSync, statSync, write, writeFileSync } from 'node:fs';
import { link, open, rename, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { TransportError } from '../../../apdu/errors.ts';
import { concat, equalTags } from '../../../apdu/octets.ts';
import { countPieces, encodeFileDescription, type FileDescription } from '../../stream/file/file-description.ts';
import { hasCode, outputError } from '../output-error.ts';
import { HeldPieces } from './held-pieces.ts';

const writeAsync = promisify(write);
/** Octets that may wait to be written. */
const MAX_WAITING = 1024 * 1024;
/** Octets that are read at a time for the digest. */
const CHUNK = 1024 * 1024;

/**
 * A file that comes in pieces, in any order and with gaps. It grows beside the place where it belongs, and is put there
 * when it is whole and has the SHA-256 that was announced. What came of it stays for another run.
 */
export class ReceivedFile {
  readonly description: FileDescription;
  readonly #path: string;
  readonly #part: string;
  readonly #overwrite: boolean;
  readonly #file: number;
  readonly #held: HeldPieces;
  /** Octets of the last piece. */
  readonly #lastLength: number;
  #waiting = 0;
  #writing: Promise<void> = Promise.resolve();
  #failure: TransportError | undefined;

  /**
   * @param path where the file belongs.
   * @param overwrite whether a file that is there may be replaced.
   * @throws TransportError `OUTPUT`, `OUTPUT_EXISTS`.
   */
  constructor(description: FileDescription, path: string, overwrite: boolean) {
    this.description = description;
    this.#path = path;
    this.#part = `${path}.part`;
    this.#overwrite = overwrite;
    if (!overwrite && existsSync(path)) throw fileIsThere(path);
    const { length, pieceLength } = description;
    this.#lastLength = length - (countPieces(description) - 1) * pieceLength;
    try {
      const kept = readHeld(`${this.#part}.held`, description);
      if (kept === undefined && existsSync(this.#part)) throw fileIsThere(this.#part);
      this.#held = new HeldPieces(countPieces(description), kept);
      this.#file = openSync(this.#part, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
      if (kept === undefined) this.#keepHeld();
    } catch (cause) {
      throw cause instanceof TransportError ? cause : outputError(this.#part, cause);
    }
  }

  get isReady(): boolean {
    return this.#waiting < MAX_WAITING;
  }

  get isWhole(): boolean {
    return this.#held.count === this.#held.pieces;
  }

  /** Octets that are here. */
  get received(): number {
    const { count, pieces } = this.#held;
    const { pieceLength, length } = this.description;
    if (count === pieces) return length;
    const last = this.#held.has(pieces - 1) ? this.#lastLength - pieceLength : 0;
    return count * pieceLength + last;
  }

  /** Pieces that are not here. */
  get missing(): number {
    return this.#held.pieces - this.#held.count;
  }

  /** Whether a piece belongs to the file and is not here. */
  lacks(number: number): boolean {
    return number < this.#held.pieces && !this.#held.has(number);
  }

  /** Takes a piece in; its octets are copied. One that is here, or cannot be of the file, is let go. */
  add(number: number, octets: Uint8Array): void {
    const isLast = number === this.#held.pieces - 1;
    const length = isLast ? this.#lastLength : this.description.pieceLength;
    if (!this.lacks(number) || octets.length !== length || this.#failure !== undefined) return;
    const copy = octets.slice();
    this.#held.add(number);
    this.#waiting += copy.length;
    this.#writing = this.#writing.then(() => this.#write(copy, number * this.description.pieceLength));
  }

  /** Waits until all is written that was taken in. @throws TransportError `OUTPUT`. */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * Puts the whole file in its place.
   * @throws TransportError `FILE_DAMAGED` when it is not the file that was announced, `OUTPUT`, `OUTPUT_EXISTS`.
   */
  async finish(): Promise<void> {
    await this.flush();
    try {
      const file = await open(this.#part, 'r');
      try {
        await file.sync();
        const hash = createHash('sha256');
        const chunk = new Uint8Array(CHUNK);
        for (let at = 0; ;) {
          const { bytesRead } = await file.read(chunk, 0, CHUNK, at);
          if (bytesRead === 0) break;
          hash.update(chunk.subarray(0, bytesRead));
          at += bytesRead;
        }
        if (!equalTags(hash.digest(), this.description.digest)) throw this.#damaged();
      } finally {
        await file.close();
      }
      // A link is refused where something came to the place meanwhile.
      if (this.#overwrite) await rename(this.#part, this.#path);
      else await link(this.#part, this.#path).then(() => rm(this.#part));
      await rm(`${this.#part}.held`, { force: true });
    } catch (cause) {
      if (cause instanceof TransportError) throw cause;
      throw hasCode(cause, 'EEXIST') ? fileIsThere(this.#path) : outputError(this.#path, cause);
    }
  }

  /** Lets go of the file. What came of it can be gone on with. */
  async close(): Promise<void> {
    await this.#writing;
    if (existsSync(this.#part)) this.#keepHeld();
    closeSync(this.#file);
  }

  async #write(octets: Uint8Array, at: number): Promise<void> {
    try {
      for (let done = 0; done < octets.length;) {
        done += (await writeAsync(this.#file, octets, done, octets.length - done, at + done)).bytesWritten;
      }
    } catch (cause) {
      this.#failure ??= outputError(this.#part, cause);
    }
    this.#waiting -= octets.length;
  }

  /** What did not reach the disk must not be believed to be there. */
  #keepHeld(): void {
    const held = this.#failure === undefined ? this.#held.bits : new Uint8Array(this.#held.bits.length);
    writeFileSync(`${this.#part}.held`, concat(headOf(this.description), held), { mode: 0o600, flush: true });
  }

  #damaged(): TransportError {
    // Nothing tells which piece is wrong, so none is kept.
    this.#failure = new TransportError(
      'FILE_DAMAGED',
      `${this.description.name} came whole and has another SHA-256 than its sender announced; ` +
        'ask the operator of the stream, and receive it again',
    );
    return this.#failure;
  }
}

/** @returns the pieces that another run had of this very file; undefined when there was none. */
function readHeld(path: string, description: FileDescription): Uint8Array | undefined {
  const head = headOf(description);
  const length = head.length + Math.ceil(countPieces(description) / 8);
  if (!existsSync(path) || statSync(path).size !== length) return undefined;
  const kept = new Uint8Array(readFileSync(path));
  return equalTags(kept.subarray(0, head.length), head) ? kept.subarray(head.length) : undefined;
}

function headOf(description: FileDescription): Uint8Array {
  return encodeFileDescription(description);
}

function fileIsThere(path: string): TransportError {
  return new TransportError(
    'OUTPUT_EXISTS',
    `${path} is there already, and is kept; name another place with --out, or add --overwrite`,
  );
}
