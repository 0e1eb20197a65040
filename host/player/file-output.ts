import { close, constants, fstat, ftruncate, open, write } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { TransportError } from '../../apdu/errors.ts';
import type { ClearPackets } from '../stream/opening/clear-packets.ts';
import type { Output } from './output.ts';

const STDOUT = 1;
/** Octets that may wait before it is not ready for more, some seconds of a stream. */
const MAX_WAITING = 16 * 1024 * 1024;
/** Octets written by one system call at most. */
const MAX_PART = 1024 * 1024;
/** ms for which a small write to a regular file waits for more. */
const LINGER = 50;
/** ms between attempts to write to a pipe that is full and does not block. */
const FULL_PIPE = 5;

const fstatAsync = promisify(fstat);
const openAsync = promisify(open);
const truncateAsync = promisify(ftruncate);
const closeAsync = promisify(close);
const writeAsync = promisify(write);

/**
 * Opens a file, a named pipe or a device. What was in a file stays until there is something to write; a new one is its
 * owner's alone.
 * @throws TransportError `OUTPUT` when it cannot be opened.
 */
export async function openFileOutput(path: string): Promise<Output> {
  try {
    const fd = await openAsync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
    return new FileOutput(path, fd, await kindOf(fd), () => closeAsync(fd));
  } catch (error) {
    throw outputError(path, error);
  }
}

/** Opens standard output, for payload and nothing else. It is never closed. */
export async function openStandardOutput(): Promise<Output> {
  const { linger } = await kindOf(STDOUT);
  return new FileOutput('stdout', STDOUT, { linger, hasOldContent: false }, async () => undefined);
}

/** A pipe is written to at once, as somebody may watch. A file can wait: each write costs two changes of thread. */
async function kindOf(fd: number): Promise<Kind> {
  const stat = await fstatAsync(fd);
  return { linger: stat.isFile() || stat.isCharacterDevice() ? LINGER : 0, hasOldContent: stat.isFile() };
}

interface Kind {
  /** ms for which small writes wait for more. */
  readonly linger: number;
  /** Whether there is something in it that has to go first. */
  readonly hasOldContent: boolean;
}

/** Writes payload to a file or a pipe. What a slow reader leaves waiting is written together. */
class FileOutput implements Output {
  readonly where: string;
  readonly lost = 0;
  readonly ended: Promise<TransportError | undefined>;
  onReady: (() => void) | undefined;
  readonly #fd: number;
  /** ms for which small writes wait for more. */
  readonly #linger: number;
  #hasOldContent: boolean;
  readonly #closeFile: () => Promise<void>;
  readonly #end: (error: TransportError | undefined) => void;
  /** Parts that wait to be written, oldest first; the last one is being filled. */
  #queue: Part[] = [];
  /** A part that is used again, so that a reader that keeps up costs no new memory. */
  #spare: Part | undefined;
  #waiting = 0;
  #writing: Promise<void> | undefined;
  #over = false;

  constructor(where: string, fd: number, { linger, hasOldContent }: Kind, closeFile: () => Promise<void>) {
    this.where = where;
    this.#fd = fd;
    this.#linger = linger;
    this.#hasOldContent = hasOldContent;
    this.#closeFile = closeFile;
    const { promise, resolve } = Promise.withResolvers<TransportError | undefined>();
    this.ended = promise;
    this.#end = resolve;
  }

  get isReady(): boolean {
    return this.#waiting < MAX_WAITING && !this.#over;
  }

  write({ payload }: ClearPackets): void {
    if (this.#over) return;
    for (let at = 0; at < payload.length;) {
      const part = this.#filling();
      const octets = Math.min(payload.length - at, MAX_PART - part.filled);
      part.memory.set(payload.subarray(at, at + octets), part.filled);
      part.filled += octets;
      at += octets;
    }
    this.#waiting += payload.length;
    this.#writing ??= this.#writeAll();
  }

  async close(): Promise<void> {
    await this.#writing;
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
        if (this.#linger > 0 && part.filled < MAX_PART) await sleep(this.#linger);
        const octets = await this.#writeSome(part.memory.subarray(part.written, part.filled));
        const full = !this.isReady;
        this.#waiting -= octets;
        part.written += octets;
        if (part.written === part.filled) {
          this.#queue.shift();
          this.#spare = { memory: part.memory, filled: 0, written: 0 };
        }
        if (full && this.isReady) this.onReady?.();
      }
    } catch (error) {
      this.#over = true;
      this.#queue = [];
      // A reader that has seen enough and closes, as `head` does, is not a failure.
      const closed = error instanceof Error && 'code' in error && error.code === 'EPIPE';
      this.#end(closed ? undefined : outputError(this.where, error));
    }
    this.#writing = undefined;
  }

  async #writeSome(octets: Uint8Array): Promise<number> {
    try {
      return (await writeAsync(this.#fd, octets)).bytesWritten;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
      await sleep(FULL_PIPE);
      return 0;
    }
  }
}

interface Part {
  readonly memory: Uint8Array;
  filled: number;
  written: number;
}

function outputError(where: string, cause: unknown): TransportError {
  const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  return new TransportError('OUTPUT', `cannot write to ${where} (${reason}); name another place with --out`, { cause });
}
