import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { CardChannel } from '../../../../apdu/card-channel.ts';
import { isErrorCode } from '../../../../apdu/error-codes.ts';
import { CardGoneError, TransportError } from '../../../../apdu/errors.ts';
import { fromHex } from '../../../../apdu/octets.ts';
import { SerialQueue } from '../serial-queue.ts';
import { findLendingFolder, findSockets, removeLeftSocket } from './lending-folder.ts';
import { parseFailure, parseGreeting, readFrames, REPLY, writeFrame } from './lending-frames.ts';

/** ms within which the program that has the card greets. */
const GREETING_TIMEOUT_MS = 2_000;

/** The program that has a card and lends it. */
export interface Lender {
  /** As in `tollcast watch (process 4711)`. */
  readonly name: string;
  /** The card through it; whoever does not want it closes it. */
  readonly channel: LentChannel;
}

/**
 * Looks for the program of this user that has the card at a place.
 * @returns nothing when none has it, or none that lends it.
 * @throws TransportError `CARD_IN_USE` when it does not answer.
 */
export async function findLender(place: string): Promise<Lender | undefined> {
  const folder = findLendingFolder();
  if (folder === undefined) return undefined;
  for (const left of findSockets(folder, place)) {
    const socket = connect(left.path);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') removeLeftSocket(left);
    });
    try {
      return await greet(socket);
    } catch {
      const isRefused = socket.destroyed;
      socket.destroy();
      // It has just closed its socket, or ended.
      if (isRefused) continue;
      const text = `the card is in use by process ${left.process}, which does not answer; let it go on, or end it`;
      throw new TransportError('CARD_IN_USE', text);
    }
  }
  return undefined;
}

/** Says who has the card at a place, as in `tollcast watch (process 4711)`; undefined when nobody says so. */
export async function nameLender(place: string): Promise<string | undefined> {
  const lender = await findLender(place);
  await lender?.channel.close();
  return lender?.name;
}

async function greet(socket: Socket): Promise<Lender> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  let take: (payload: Uint8Array) => void = resolve;
  readFrames(socket, (payload) => take(payload));
  const closed = once(socket, 'close', { signal: AbortSignal.timeout(GREETING_TIMEOUT_MS) });
  closed.then(() => reject(new CardGoneError()), reject);
  const { program, process, atr } = parseGreeting(await promise);
  const name = `${program} (process ${process})`;
  const channel = new LentChannel(socket, fromHex(atr), name);
  take = (payload) => channel.receive(payload);
  return { name, channel };
}

/** A channel to a card that another program has, through that program. */
export class LentChannel implements CardChannel {
  readonly atr: Uint8Array;
  readonly #socket: Socket;
  readonly #queue = new SerialQueue();
  #waiting: { resolve: (answer: Uint8Array) => void; reject: (error: Error) => void } | undefined;
  #lost: CardGoneError | undefined;

  constructor(socket: Socket, atr: Uint8Array, lender: string) {
    this.#socket = socket;
    this.atr = atr;
    socket.on('close', () => this.#end(`${lender} let go of the card; try again`));
  }

  transmit(command: Uint8Array): Promise<Uint8Array> {
    return this.#queue.run(() => this.#request(command));
  }

  #request(command: Uint8Array): Promise<Uint8Array> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      writeFrame(this.#socket, command);
    });
  }

  receive(payload: Uint8Array): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (payload[0] === REPLY.answer && payload.length >= 3) waiting?.resolve(payload.subarray(1));
    else waiting?.reject(readFailure(payload.subarray(1)));
  }

  async close(): Promise<void> {
    this.#end('the channel to the card is closed; open the card again');
    this.#socket.destroy();
  }

  #end(text: string): void {
    this.#lost ??= new CardGoneError(text);
    this.#waiting?.reject(this.#lost);
    this.#waiting = undefined;
  }
}

function readFailure(payload: Uint8Array): Error {
  const { code, message } = parseFailure(payload);
  if (code === 'CARD_GONE' || !isErrorCode(code)) return new CardGoneError(message);
  return new TransportError(code, message);
}
