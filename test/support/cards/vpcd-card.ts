import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const CONTROL_OFF = 0;
const CONTROL_ON = 1;
const CONTROL_RESET = 2;
const CONTROL_ATR = 4;

/** What a card under test does with a command; a rejection or `undefined` leaves it unanswered. */
export type CardProgram = (command: Uint8Array) => Uint8Array | undefined | Promise<Uint8Array | undefined>;

export interface VpcdCardOptions {
  readonly port: number;
  readonly atr: Uint8Array;
  readonly answer: CardProgram;
}

/** A card in a slot of vpcd, over its own framing: 2-octet big-endian length, one octet of control or an APDU. */
export class VpcdCard {
  /** Control octets as they came, for tests of power and reset. */
  readonly controls: number[] = [];
  /** Commands as they came. */
  readonly commands: Uint8Array[] = [];
  readonly #socket: Socket;
  readonly #options: VpcdCardOptions;
  #rest: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket, options: VpcdCardOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', () => {}); // pcscd may end before the card
  }

  /** Inserts a card. */
  static async insert(options: VpcdCardOptions): Promise<VpcdCard> {
    const socket = connect(options.port, '127.0.0.1');
    await once(socket, 'connect');
    return new VpcdCard(socket, options);
  }

  /** Pulls it, in mid-command or not. */
  pull(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 2) {
      const length = this.#rest.readUInt16BE(0);
      if (this.#rest.length < 2 + length) return;
      const frame = Uint8Array.from(this.#rest.subarray(2, 2 + length));
      this.#rest = this.#rest.subarray(2 + length);
      void this.#serve(frame);
    }
  }

  async #serve(frame: Uint8Array): Promise<void> {
    const control = frame.length === 1 ? frame[0] : undefined;
    if (control === CONTROL_ATR) return this.#send(this.#options.atr);
    if (control === CONTROL_OFF || control === CONTROL_ON || control === CONTROL_RESET) {
      this.controls.push(control);
      return;
    }
    this.commands.push(frame);
    const answer = await this.#options.answer(frame);
    if (answer !== undefined) this.#send(answer);
  }

  #send(payload: Uint8Array): void {
    const frame = Buffer.allocUnsafe(2 + payload.length);
    frame.writeUInt16BE(payload.length, 0);
    frame.set(payload, 2);
    this.#socket.write(frame);
  }
}
