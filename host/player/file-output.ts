import { close, constants, fstat, ftruncate, open, type Stats, stat, write } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { TransportError } from '../../apdu/errors.ts';
import { type Clock, systemClock } from '../clock/clock.ts';
import { Signal } from '../clock/signal.ts';
import type { ClearPackets } from '../stream/opening/clear-packets.ts';
import { hasCode, outputError } from './output-error.ts';
import type { Output } from './output.ts';
import { openNamedPipe, openPipe } from './pipe-output.ts';

const STDOUT = 1;
/** Octets that are written at once, with no more to wait for: what comes in up to `LINGER`, within these bounds. */
const MIN_WRITE = 96 * 1024;
const MAX_WRITE = 512 * 1024;
/** ms without an end of a write after which it is not ready for more. */
const MAX_STALL = 1000;
/** Octets written by one system call at most. */
const MAX_PART = MAX_WRITE;
/** ms for which a small write to a file waits for more. */
const LINGER = 50;
/** ms in which so much came that twice as much is written at once from then on. */
const SOON = 25;
/** ms between attempts to write to a socket that is full and does not block. */
const FULL_SOCKET = 5;

const fstatAsync = promisify(fstat);
const statAsync = promisify(stat);
const openAsync = promisify(open);
const truncateAsync = promisify(ftruncate);
const closeAsync = promisify(close);
const writeAsync = promisify(write);

/**
 * Opens a file, a named pipe or a device. What was in a file stays until there is something to write; a new one is its
 * owner's alone.
 * @param overwrite whether a file with something in it may be written over.
 * @throws TransportError `OUTPUT` when it cannot be opened, `OUTPUT_EXISTS`.
 */
export async function openFileOutput(path: string, overwrite: boolean): Promise<Output> {
  try {
    const present = await statAsync(path).catch(() => undefined);
    if (present?.isFIFO() === true) return openNamedPipe(path);
    // Nothing may come between the look and the opening.
    const flags = overwrite || present !== undefined ? constants.O_CREAT : constants.O_CREAT | constants.O_EXCL;
    const fd = await openAsync(path, constants.O_WRONLY | flags, 0o600);
    const opened = await fstatAsync(fd);
    if (!overwrite && opened.isFile() && opened.size > 0) {
      await closeAsync(fd);
      throw fileIsThere(path);
    }
    return new FileOutput(path, fd, kindOf(opened), () => closeAsync(fd));
  } catch (error) {
    if (error instanceof TransportError) throw error;
    throw hasCode(error, 'EEXIST') ? fileIsThere(path) : outputError(path, error);
  }
}

function fileIsThere(path: string): TransportError {
  return new TransportError(
    'OUTPUT_EXISTS',
    `${path} is there already, and is kept; name another file with --out, or add --overwrite`,
  );
}

/** Opens standard output, for payload and nothing else. It is never closed. */
export async function openStandardOutput(): Promise<Output> {
  const opened = await fstatAsync(STDOUT);
  if (opened.isFIFO()) {
    try {
      // A handle of our own: what others do with standard output is their affair.
      return openPipe('stdout', await openAsync(`/proc/self/fd/${STDOUT}`, constants.O_WRONLY | constants.O_NONBLOCK));
    } catch {
      // Not every system has it; the pipe is written to as a file is.
    }
  }
  return new FileOutput('stdout', STDOUT, { ...kindOf(opened), hasOldContent: false }, async () => undefined);
}

/** A pipe is written to at once, as somebody may watch. A file can wait: each write costs two changes of thread. */
function kindOf(opened: Stats): Kind {
  return { isFile: opened.isFile() || opened.isCharacterDevice(), hasOldContent: opened.isFile() };
}

interface Kind {
  /** Whether small writes may wait for more. */
  readonly isFile: boolean;
  /** Whether there is something in it that has to go first. */
  readonly hasOldContent: boolean;
}

/** Writes payload to a file or a pipe. What a slow reader leaves waiting is written together. */
class FileOutput implements Output {
  readonly where: string;
  lost = 0;
  readonly withheld = 0;
  readonly ended: Promise<TransportError | undefined>;
  onReady: (() => void) | undefined;
  readonly #fd: number;
  readonly #isFile: boolean;
  #hasOldContent: boolean;
  readonly #closeFile: () => Promise<void>;
  readonly #end: (error: TransportError | undefined) => void;
  /** Parts that wait to be written, oldest first; the last one is being filled. */
  #queue: Part[] = [];
  /** A part that is used again, so that a reader that keeps up costs no new memory. */
  #spare: Part | undefined;
  #waiting = 0;
  #writing: Promise<void> | undefined;
  /** ms, when the write began that the system has not ended yet. */
  #writingSince: number | undefined;
  #wasReady = true;
  /**
   * Octets that are written at once. Twice as many may wait: what is paid when the disk or the reader stops taking them.
   * A group and a batch come on top.
   */
  #enough = MIN_WRITE;
  readonly #hasEnough: Signal;
  #over = false;
  readonly #clock: Clock;

  constructor(where: string, fd: number, { isFile, hasOldContent }: Kind, closeFile: () => Promise<void>) {
    this.#clock = systemClock;
    this.where = where;
    this.#fd = fd;
    this.#isFile = isFile;
    this.#hasEnough = new Signal(this.#clock);
    this.#hasOldContent = hasOldContent;
    this.#closeFile = closeFile;
    const { promise, resolve } = Promise.withResolvers<TransportError | undefined>();
    this.ended = promise;
    this.#end = resolve;
  }

  get isReady(): boolean {
    const isStalled = this.#writingSince !== undefined && this.#clock.monotonic() - this.#writingSince > MAX_STALL;
    this.#wasReady = this.#waiting < 2 * this.#enough && !isStalled && !this.#over;
    return this.#wasReady;
  }

  write({ payload }: ClearPackets): void {
    if (this.#over) {
      this.lost += payload.length;
      return;
    }
    for (let at = 0; at < payload.length;) {
      const part = this.#filling();
      const octets = Math.min(payload.length - at, MAX_PART - part.filled);
      part.memory.set(payload.subarray(at, at + octets), part.filled);
      part.filled += octets;
      at += octets;
    }
    this.#waiting += payload.length;
    if (this.#waiting >= this.#enough) this.#hasEnough.notify();
    this.#writing ??= this.#writeAll();
  }

  async close(): Promise<void> {
    await this.#writing;
    this.#hasEnough.close();
    this.#over = true;
    await this.#closeFile();
  }

  #filling(): Part {
    const last = this.#queue.at(-1);
    if (last !== undefined && last.filled < MAX_PART) return last;
    const part = this.#spare ?? { memory: new Uint8Array(MAX_PART), filled: 0, written: 0 };
    this.#spare = undefined;
    this.#queue.push(part);
    return part;
  }

  async #writeAll(): Promise<void> {
    try {
      if (this.#hasOldContent) await truncateAsync(this.#fd, 0);
      this.#hasOldContent = false;
      for (let part = this.#queue[0]; part !== undefined; part = this.#queue[0]) {
        await this.#waitForMore();
        const octets = await this.#writeSome(part.memory.subarray(part.written, part.filled));
        this.#waiting -= octets;
        part.written += octets;
        if (part.written === part.filled) {
          this.#queue.shift();
          this.#spare = { memory: part.memory, filled: 0, written: 0 };
        }
        if (!this.#wasReady && this.isReady) this.onReady?.();
      }
    } catch (error) {
      this.#over = true;
      this.#queue = [];
      this.lost += this.#waiting;
      // A reader that has seen enough and closes, as `head` does, is not a failure.
      this.#end(hasCode(error, 'EPIPE') ? undefined : outputError(this.where, error));
    }
    this.#writing = undefined;
  }

  async #waitForMore(): Promise<void> {
    if (!this.#isFile || this.#waiting >= this.#enough) return;
    const since = this.#clock.monotonic();
    this.#hasEnough.reset();
    await this.#hasEnough.wait(LINGER);
    const waited = this.#clock.monotonic() - since;
    if (this.#waiting < this.#enough) this.#enough = Math.max(this.#enough / 2, MIN_WRITE);
    else if (waited < SOON) this.#enough = Math.min(2 * this.#enough, MAX_WRITE);
  }

  async #writeSome(octets: Uint8Array): Promise<number> {
    this.#writingSince ??= this.#clock.monotonic();
    try {
      const { bytesWritten } = await writeAsync(this.#fd, octets);
      this.#writingSince = undefined;
      return bytesWritten;
    } catch (error) {
      if (!hasCode(error, 'EAGAIN')) throw error;
      await sleep(FULL_SOCKET);
      return 0;
    }
  }
}

interface Part {
  readonly memory: Uint8Array;
  filled: number;
  written: number;
}
