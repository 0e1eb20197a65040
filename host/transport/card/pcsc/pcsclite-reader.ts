import { type PcscError, pcscErrorFrom, pcscErrorOf, SCARD } from './pcsc-error.ts';
import type { NativeCallback, NativeReader } from './pcsclite-native.ts';

const SHARE_EXCLUSIVE = 1;
const PROTOCOL_T0 = 1;
const PROTOCOL_T1 = 2;
const LEAVE_CARD = 0;
const RESET_CARD = 1;
/** 65,536 octets of data and the status word. */
const ANSWER_OCTETS = 65_538;

/** `SCARD_STATE_...` of winscard.h. */
export const READER_STATE = { UNAVAILABLE: 0x08, PRESENT: 0x20, EXCLUSIVE: 0x80, IN_USE: 0x100, MUTE: 0x200 } as const;

/** A reader as PC/SC knows it, whatever library speaks to pcscd. */
export interface Reader {
  readonly name: string;
  /** `SCARD_STATE_...` in the lower 16 bits, the number of cards that came and went in the upper 16. */
  readonly state: number | undefined;
  /** Answer to reset of the card inside; empty without one. */
  readonly atr: Uint8Array;
  /** Unplugged, or its context closed: nothing works any more. */
  readonly gone: boolean;
  /**
   * Takes the card for this process alone.
   * @throws PcscError
   */
  connect(): Promise<CardConnection>;
}

/** A card that this process alone has. */
export interface CardConnection {
  readonly protocol: 'T=0' | 'T=1';
  /**
   * Sends one command; the answer may be empty when the card left in mid-command.
   * @throws PcscError
   */
  transmit(command: Uint8Array): Promise<Uint8Array>;
  /** Lets the card go, reset or as it is. Never throws; doing it twice does nothing. */
  disconnect(disposition: 'reset' | 'leave'): Promise<void>;
}

/** The number of cards that came and went; it differs from visit to visit of a card. */
export function countEvents(state: number | undefined): number {
  return (state ?? 0) >>> 16;
}

export class PcscliteReader implements Reader {
  readonly name: string;
  state: number | undefined;
  atr: Uint8Array = new Uint8Array();
  gone = false;
  readonly #native: NativeReader;
  readonly #onError: (error: PcscError) => void;
  #connection: PcscliteConnection | undefined;

  /** @param onError called with every failure of a call. */
  constructor(native: NativeReader, onError: (error: PcscError) => void) {
    this.#native = native;
    this.#onError = onError;
    this.name = native.name;
  }

  update(state: number, atr: Uint8Array | undefined): void {
    this.state = state >>> 0;
    this.atr = Uint8Array.from(atr ?? []);
  }

  async connect(): Promise<CardConnection> {
    if (this.gone) throw pcscErrorOf(SCARD.READER_UNAVAILABLE, this.name);
    if (this.#connection?.open === true) throw pcscErrorOf(SCARD.SHARING_VIOLATION, this.name);
    const connection = new PcscliteConnection(this.#native, this.#onError);
    const before = this.#connection;
    this.#connection = connection;
    try {
      await before?.disconnect('leave');
      await connection.connect();
    } catch (error) {
      connection.open = false;
      throw error;
    }
    return connection;
  }

  close(): void {
    this.gone = true;
    this.#native.close();
  }
}

class PcscliteConnection implements CardConnection {
  protocol: 'T=0' | 'T=1' = 'T=1';
  open = true;
  readonly #native: NativeReader;
  readonly #onError: (error: PcscError) => void;
  #disconnected: Promise<void> | undefined;

  constructor(native: NativeReader, onError: (error: PcscError) => void) {
    this.#native = native;
    this.#onError = onError;
  }

  async connect(): Promise<void> {
    // pcsclite answers without asking pcscd when it believes that it is connected.
    this.#native.connected = false;
    const options = { share_mode: SHARE_EXCLUSIVE, protocol: PROTOCOL_T0 | PROTOCOL_T1 };
    const protocol = await this.#call<number>((callback) => this.#native.connect(options, callback));
    this.protocol = protocol === PROTOCOL_T0 ? 'T=0' : 'T=1';
  }

  async transmit(command: Uint8Array): Promise<Uint8Array> {
    if (!this.open) throw pcscErrorOf(SCARD.INVALID_HANDLE, this.#native.name);
    const octets = Buffer.from(command.buffer, command.byteOffset, command.length);
    const protocol = this.protocol === 'T=0' ? PROTOCOL_T0 : PROTOCOL_T1;
    const answer = await this.#call<Uint8Array>((callback) =>
      this.#native.transmit(octets, ANSWER_OCTETS, protocol, callback),
    );
    // Not as a Buffer, whose `slice` does not copy.
    return new Uint8Array(answer.buffer, answer.byteOffset, answer.length);
  }

  disconnect(disposition: 'reset' | 'leave'): Promise<void> {
    this.open = false;
    this.#disconnected ??= this.#call<void>((callback) =>
      this.#native.disconnect(disposition === 'reset' ? RESET_CARD : LEAVE_CARD, callback),
    ).catch(() => {}); // a connection that cannot be ended has ended
    return this.#disconnected;
  }

  /**
   * Settles promises in a turn of the event loop. pcsclite calls back with the reader's lock held and runs no
   * microtasks: a promise settled there stalls, and a reader closed there waits for itself.
   */
  #call<T>(start: (callback: NativeCallback<T>) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      start((error, value) => {
        setImmediate(() => {
          if (!error) return resolve(value);
          const failure = pcscErrorFrom(error, this.#native.name);
          this.#onError(failure);
          reject(failure);
        });
      });
    });
  }
}
