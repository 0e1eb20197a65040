import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { CardChannel } from '../../../../apdu/card-channel.ts';
import { CardGoneError, TransportError } from '../../../../apdu/errors.ts';
import { SerialQueue } from '../serial-queue.ts';
import type { TcpAddress } from './tcp-address.ts';

/** Controls of vpcd's framing, sent by the reader's side, which is ours. */
const POWER_OFF = 0;
const POWER_ON = 1;
const GIVE_ATR = 4;
/** The length in front of a frame has 2 octets. */
const MAX_FRAME_OCTETS = 65_535;
/** What a runner says in the place of the ATR while another connection has the card; it is longer than any ATR. */
const IN_USE = 'in use: ';
/** An ISO/IEC 7816-3 ATR has 2 to 33 octets. */
const MAX_ATR_OCTETS = 33;
const CONNECT_TIMEOUT_MS = 5_000;
/** ms that a command under way may still take when the channel is closed. */
const CLOSE_TIMEOUT_MS = 1_000;

/**
 * Opens a card behind TCP, as the jCardSim runner offers it: connecting switches the card on.
 * @throws TransportError with code TCP_UNREACHABLE when nothing is there, TCP_NO_ATR when it is not a card, CARD_IN_USE
 *   when another connection has it.
 */
export async function openTcpCard({ host, port }: TcpAddress, signal?: AbortSignal): Promise<TcpChannel> {
  const where = `${host}:${port}`;
  const timeout = AbortSignal.timeout(CONNECT_TIMEOUT_MS);
  const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  const socket = connect({ host, port, noDelay: true });
  socket.on('error', () => {}); // 'close' follows, and tells the channel
  try {
    await once(socket, 'connect', { signal: either });
  } catch (cause) {
    socket.destroy();
    signal?.throwIfAborted();
    throw new TransportError(
      'TCP_UNREACHABLE',
      `no card answers at ${where}; start its runner, or check host and port`,
      { cause },
    );
  }
  const channel = new TcpChannel(socket, where);
  try {
    await channel.powerOn(either);
  } catch (cause) {
    socket.destroy();
    signal?.throwIfAborted();
    if (cause instanceof TransportError) throw cause;
    throw new TransportError(
      'TCP_NO_ATR',
      `what listens at ${where} gives no ATR; check that it is a card runner and that a card is inserted`,
      { cause },
    );
  }
  return channel;
}

/** A channel to a card behind TCP, in vpcd's framing: a length of 2 octets, big-endian, then a control or an APDU. */
export class TcpChannel implements CardChannel {
  atr: Uint8Array = new Uint8Array();
  readonly #socket: Socket;
  readonly #where: string;
  readonly #queue = new SerialQueue();
  #rest: Buffer | undefined;
  #waiting: { resolve: (frame: Uint8Array) => void; reject: (error: Error) => void } | undefined;
  #lost: CardGoneError | undefined;

  constructor(socket: Socket, where: string) {
    this.#socket = socket;
    this.#where = where;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('close', () => this.#end(`the card at ${where} is gone`));
  }

  async powerOn(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#end(`${this.#where} did not answer in time`);
    signal.addEventListener('abort', stop);
    try {
      this.#socket.write(encodeFrame(Uint8Array.of(POWER_ON)));
      const atr = await this.#request(Uint8Array.of(GIVE_ATR));
      if (Buffer.from(atr).toString('latin1').startsWith(IN_USE)) {
        const text = `the card at ${this.#where} is in use by another program; end that program first`;
        throw new TransportError('CARD_IN_USE', text);
      }
      if (atr.length < 2 || atr.length > MAX_ATR_OCTETS) this.#end(`${this.#where} gave no ATR`);
      if (this.#lost !== undefined) throw this.#lost;
      this.atr = atr.slice();
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  transmit(command: Uint8Array): Promise<Uint8Array> {
    return this.#queue.run(() => this.#transmit(command));
  }

  async #transmit(command: Uint8Array): Promise<Uint8Array> {
    if (command.length < 4 || command.length > MAX_FRAME_OCTETS) {
      const range = `4 to ${MAX_FRAME_OCTETS} octets`;
      throw new TransportError(
        'TCP_FRAME',
        `a command over TCP has ${range}, not ${command.length}; send a shorter one`,
      );
    }
    const answer = await this.#request(command);
    if (answer.length < 2) {
      this.#end(`the card at ${this.#where} gave no status word`);
      throw this.#lost ?? new CardGoneError();
    }
    return answer;
  }

  #request(payload: Uint8Array): Promise<Uint8Array> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(encodeFrame(payload));
    });
  }

  #receive(chunk: Buffer): void {
    const octets = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    const { length } = octets;
    if (length < 2 || length < 2 + octets.readUInt16BE(0)) {
      this.#rest = octets;
      return;
    }
    this.#rest = undefined;
    const waiting = this.#waiting;
    if (waiting === undefined || length > 2 + octets.readUInt16BE(0)) {
      this.#end(`what is at ${this.#where} answers without being asked`);
      return;
    }
    this.#waiting = undefined;
    waiting.resolve(new Uint8Array(octets.buffer, octets.byteOffset + 2, length - 2));
  }

  #end(what: string): void {
    if (this.#lost !== undefined) return;
    this.#lost = new CardGoneError(`${what}; open it again when it is back, and the session starts anew`);
    this.#waiting?.reject(this.#lost);
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  /** Switches the card off. */
  async close(): Promise<void> {
    if (this.#lost !== undefined) return;
    const patience = setTimeout(() => this.#giveUp(), CLOSE_TIMEOUT_MS);
    await this.#queue.run(async () => {
      if (this.#lost !== undefined) return;
      this.#lost = new CardGoneError('the channel to the card is closed; open the card again');
      // The runner closes its side when it has let go of the card: from then on the next client gets it.
      const closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
      this.#socket.end(encodeFrame(Uint8Array.of(POWER_OFF)));
      await closed;
    });
    clearTimeout(patience);
  }

  #giveUp(): void {
    this.#end(`the card at ${this.#where} did not answer`);
    this.#socket.destroy();
  }
}

function encodeFrame(payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(2 + payload.length);
  frame.writeUInt16BE(payload.length, 0);
  frame.set(payload, 2);
  return frame;
}
