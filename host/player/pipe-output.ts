import { close, constants, open } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { TransportError } from '../../apdu/errors.ts';
import type { ClearPackets } from '../stream/opening/clear-packets.ts';
import { hasCode, outputError } from './output-error.ts';
import type { Output } from './output.ts';
import { PlayerQueue } from './player-queue.ts';

/** Octets that may wait; the system holds 64 KB beside them. */
const MAX_WAITING = 192 * 1024;
/** ms between looks whether somebody reads a named pipe. */
const READER_EVERY = 100;
/** ms for which a reader may take the rest at the end. */
const MAX_REST = 1000;

const openAsync = promisify(open);
const closeAsync = promisify(close);

/** Opens a named pipe. Until somebody reads it, it takes nothing. */
export function openNamedPipe(path: string): Output {
  const output = new PipeOutput(path);
  void output.waitForReader();
  return output;
}

/** Opens a pipe or a socket that is open already, such as standard output. */
export function openPipe(where: string, fd: number): Output {
  const output = new PipeOutput(where);
  output.begin(fd);
  return output;
}

/** Writes payload to a pipe. */
class PipeOutput implements Output {
  readonly where: string;
  readonly ended: Promise<TransportError | undefined>;
  onReady: (() => void) | undefined;
  lost = 0;
  readonly withheld = 0;
  readonly #end: (error: TransportError | undefined) => void;
  readonly #closed = new AbortController();
  #player: { readonly socket: Socket; readonly queue: PlayerQueue } | undefined;

  constructor(where: string) {
    this.where = where;
    const { promise, resolve } = Promise.withResolvers<TransportError | undefined>();
    this.ended = promise;
    this.#end = resolve;
  }

  get isReady(): boolean {
    return this.#player !== undefined && !this.#player.socket.destroyed && this.#player.queue.isReady;
  }

  begin(fd: number): void {
    const socket = new Socket({ fd, readable: false, writable: true });
    this.#player = { socket, queue: new PlayerQueue(socket, MAX_WAITING, () => this.onReady?.()) };
    socket.on('error', (error) => {
      this.lost += socket.writableLength;
      // A reader that has seen enough and closes, as `head` does, is not a failure.
      this.#end(hasCode(error, 'EPIPE') ? undefined : outputError(this.where, error));
    });
  }

  async waitForReader(): Promise<void> {
    try {
      const fd = await this.#openForReader();
      if (fd === undefined) return;
      if (this.#closed.signal.aborted) {
        await closeAsync(fd);
        return;
      }
      this.begin(fd);
      this.onReady?.();
    } catch (error) {
      this.#end(outputError(this.where, error));
    }
  }

  write({ payload }: ClearPackets): void {
    if (this.#player === undefined || this.#player.socket.destroyed) this.lost += payload.length;
    else this.#player.queue.write(payload.slice());
  }

  async close(): Promise<void> {
    this.#closed.abort();
    if (this.#player === undefined) return;
    const { socket } = this.#player;
    const { promise: closed, resolve } = Promise.withResolvers<undefined>();
    socket.once('close', resolve);
    if (socket.destroyed) return;
    const timer = setTimeout(() => {
      this.lost += socket.writableLength;
      socket.destroy();
    }, MAX_REST);
    socket.end();
    await closed;
    clearTimeout(timer);
  }

  /** fifo(7): opened so, a pipe that nobody reads fails with ENXIO and keeps nobody waiting. */
  async #openForReader(): Promise<number | undefined> {
    while (!this.#closed.signal.aborted) {
      try {
        return await openAsync(this.where, constants.O_WRONLY | constants.O_NONBLOCK);
      } catch (error) {
        if (!hasCode(error, 'ENXIO')) throw error;
        await sleep(READER_EVERY, undefined, { signal: this.#closed.signal }).catch(() => undefined);
      }
    }
    return undefined;
  }
}
