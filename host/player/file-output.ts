import { close, constants, fstat, ftruncate, open, write } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { TransportError } from '../../apdu/errors.ts';
import type { ClearPackets } from '../stream/opening/clear-packets.ts';
import type { Output } from './output.ts';

const STDOUT = 1;
/** Octets that may wait before no more is wanted: some seconds of a stream. */
const MAX_WAITING = 16 * 1024 * 1024;
/** Octets gathered for one system call at most. */
const PART = 1024 * 1024;
const LINGER = 50;
/** ms between looks at a pipe that is full and does not block. */
const FULL_PIPE = 5;

const fstatAsync = promisify(fstat);
const openAsync = promisify(open);
const truncateAsync = promisify(ftruncate);
const closeAsync = promisify(close);
const writeAsync = promisify(write);

/** What was in the file stays until there is something to write. @throws TransportError `OUTPUT` when it cannot be made. */
export async function openFileOutput(path: string): Promise<Output> {
  try {
    const fd = await openAsync(path, constants.O_WRONLY | constants.O_CREAT);
    return new FileOutput(path, fd, await kindOf(fd), () => closeAsync(fd));
  } catch (error) {
    throw outputError(path, error);
  }
}

/** Standard output: payload, nothing else. It is left open. */
export async function openStandardOutput(): Promise<Output> {
  const { linger } = await kindOf(STDOUT);
  return new FileOutput('stdout', STDOUT, { linger, stale: false }, async () => undefined);
}

/** Behind a pipe somebody watches; into a file it may be a little more at a time, as each write costs two changes of thread. */
async function kindOf(fd: number): Promise<Kind> {
  const stat = await fstatAsync(fd);
  return { linger: stat.isFile() || stat.isCharacterDevice() ? LINGER : 0, stale: stat.isFile() };
}

interface Kind {
  /** ms for which small writes wait for more. */
  readonly linger: number;
  /** Whether it holds something older. */
  readonly stale: boolean;
}

/** Writes payload to a file or a pipe, several batches at a time where the other side is slow. */
class FileOutput implements Output {
  readonly where: string;
  readonly lost = 0;
  readonly ended: Promise<TransportError | undefined>;
  onReady: (() => void) | undefined;
  readonly #fd: number;
  /** ms for which small writes wait for more. */
  readonly #linger: number;
  #stale: boolean;
  readonly #closeFile: () => Promise<void>;
  readonly #end: (error: TransportError | undefined) => void;
  /** Memory that is full, or being written from; the last one is being filled. */
  #queue: Part[] = [];
  /** One that is used again, so that a taker who keeps up costs no memory. */
  #spare: Part | undefined;
  #waiting = 0;
  #writing: Promise<void> | undefined;
  #over = false;

  constructor(where: string, fd: number, { linger, stale }: Kind, closeFile: () => Promise<void>) {
    this.where = where;
    this.#fd = fd;
    this.#linger = linger;
    this.#stale = stale;
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
      const octets = Math.min(payload.length - at, PART - part.filled);
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
    if (last !== undefined && last.filled < PART) return last;
    const part = this.#spare ?? { memory: new Uint8Array(PART), filled: 0, written: 0 };
    this.#spare = undefined;
    this.#queue.push(part);
    return part;
  }

  async #writeAll(): Promise<void> {
    try {
      if (this.#stale) await truncateAsync(this.#fd, 0);
      this.#stale = false;
      for (let part = this.#queue[0]; part !== undefined; part = this.#queue[0]) {
        if (this.#linger > 0 && part.filled < PART) await sleep(this.#linger);
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
      // A reader that has seen enough, as `head` does, is no failure.
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
