import { TransportError } from '../../../../apdu/errors.ts';
import { type Clock, systemClock } from '../../../clock/clock.ts';
import { MAX_COMMAND_MS, stalledError } from '../time-limit.ts';
import { PcscError, pcscErrorFrom, pcscErrorOf, SCARD } from './pcsc-error.ts';
import { callBegins, callEnds } from './pcsclite-calls.ts';
import type { NativeCallback, NativeReader } from './pcsclite-native.ts';

const SHARE_EXCLUSIVE = 1;
const SHARE_SHARED = 2;
const PROTOCOL_T0 = 1;
const PROTOCOL_T1 = 2;
const LEAVE_CARD = 0;
const RESET_CARD = 1;
/** 65,536 octets of data and the status word. */
const ANSWER_OCTETS = 65_538;

/** Octets of what a reader answers for itself: short answers of a card among them. */
const CONTROL_OCTETS = 264;
/** Codes above are a reader's own. */
const MIN_OWN_CODE = 0x1_0000;

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
   * Takes the card for this process alone; where another program shares it already, shares it too.
   * @throws PcscError
   * @throws TransportError `CARD_STALLED` when the reader does not answer, or has not answered an earlier call yet.
   */
  connect(): Promise<CardConnection>;
}

/** A card that this process has. */
export interface CardConnection {
  readonly protocol: 'T=0' | 'T=1';
  /**
   * Sends one command; the answer may be empty when the card left in mid-command.
   * @throws PcscError
   */
  transmit(command: Uint8Array): Promise<Uint8Array>;
  /**
   * Asks the reader itself, and not the card.
   * @param code below 65,536 as PC/SC numbers requests; above, as the reader has told it.
   * @throws PcscError also when the reader knows no such request.
   */
  control(code: number, data: Uint8Array): Promise<Uint8Array>;
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
  readonly #clock: Clock;
  #connection: PcscliteConnection | undefined;

  /** @param onError called with every failure of a call. */
  constructor(native: NativeReader, onError: (error: PcscError) => void, clock: Clock = systemClock) {
    this.#native = native;
    this.#onError = onError;
    this.#clock = clock;
    this.name = native.name;
  }

  update(state: number, atr: Uint8Array | undefined): void {
    this.state = state >>> 0;
    this.atr = Uint8Array.from(atr ?? []);
  }

  async connect(): Promise<CardConnection> {
    if (this.gone) throw pcscErrorOf(SCARD.READER_UNAVAILABLE, this.name);
    if (this.#connection?.open === true) throw pcscErrorOf(SCARD.SHARING_VIOLATION, this.name);
    if (this.#connection?.isAsking === true) throw stillStalledError(this.name);
    const connection = new PcscliteConnection(this.#native, this.#onError);
    const before = this.#connection;
    this.#connection = connection;
    try {
      await before?.disconnect('leave');
      await this.#inTime(connection.connect());
    } catch (error) {
      connection.open = false;
      throw error;
    }
    return connection;
  }

  close(): void {
    this.gone = true;
    // pcsclite would wait for the call here, and this thread with it.
    if (this.#connection?.isAsking !== true) this.#native.close();
  }

  /** @throws TransportError `CARD_STALLED` */
  async #inTime(connecting: Promise<void>): Promise<void> {
    const over = new AbortController();
    const patience = this.#clock.sleep(MAX_COMMAND_MS, over.signal).then(() => {
      throw stalledError(MAX_COMMAND_MS);
    });
    try {
      await Promise.race([connecting, patience]);
    } finally {
      over.abort();
      patience.catch(() => {});
      connecting.catch(() => {});
    }
  }
}

function stillStalledError(reader: string): TransportError {
  return new TransportError(
    'CARD_STALLED',
    `${reader}: the card has not answered yet what it was asked; take it out and insert it again`,
  );
}

class PcscliteConnection implements CardConnection {
  protocol: 'T=0' | 'T=1' = 'T=1';
  open = true;
  readonly #native: NativeReader;
  readonly #onError: (error: PcscError) => void;
  #disconnected: Promise<void> | undefined;
  /** Calls that a card or a reader can hold up for ever. */
  #calls = 0;

  constructor(native: NativeReader, onError: (error: PcscError) => void) {
    this.#native = native;
    this.#onError = onError;
  }

  /** Whether the card or the reader still has to answer. */
  get isAsking(): boolean {
    return this.#calls > 0;
  }

  async connect(): Promise<void> {
    try {
      await this.#connect(SHARE_EXCLUSIVE);
    } catch (error) {
      if (!(error instanceof PcscError) || error.result !== SCARD.SHARING_VIOLATION) throw error;
      // A program that shares the card lets us have it too. Where it resets the card, the next command tells.
      await this.#connect(SHARE_SHARED);
    }
  }

  async #connect(shareMode: number): Promise<void> {
    // pcsclite answers without asking pcscd when it believes that it is connected.
    this.#native.connected = false;
    const options = { share_mode: shareMode, protocol: PROTOCOL_T0 | PROTOCOL_T1 };
    const protocol = await this.#ask<number>((callback) => this.#native.connect(options, callback));
    this.protocol = protocol === PROTOCOL_T0 ? 'T=0' : 'T=1';
  }

  async transmit(command: Uint8Array): Promise<Uint8Array> {
    if (!this.open) throw pcscErrorOf(SCARD.INVALID_HANDLE, this.#native.name);
    const octets = Buffer.from(command.buffer, command.byteOffset, command.length);
    const protocol = this.protocol === 'T=0' ? PROTOCOL_T0 : PROTOCOL_T1;
    const answer = await this.#ask<Uint8Array>((callback) =>
      this.#native.transmit(octets, ANSWER_OCTETS, protocol, callback),
    );
    // Not as a Buffer, whose `slice` does not copy.
    return new Uint8Array(answer.buffer, answer.byteOffset, answer.length);
  }

  async control(code: number, data: Uint8Array): Promise<Uint8Array> {
    if (!this.open) throw pcscErrorOf(SCARD.INVALID_HANDLE, this.#native.name);
    const number = code < MIN_OWN_CODE ? this.#native.SCARD_CTL_CODE(code) : code;
    const answer = await this.#ask<Uint8Array>((callback) =>
      this.#native.control(Buffer.from(data), number, CONTROL_OCTETS, callback),
    );
    return Uint8Array.from(answer);
  }

  disconnect(disposition: 'reset' | 'leave'): Promise<void> {
    this.open = false;
    this.#disconnected ??= this.#call<void>((callback) =>
      this.#native.disconnect(disposition === 'reset' ? RESET_CARD : LEAVE_CARD, callback),
    ).catch(() => {}); // a connection that cannot be ended has ended
    return this.#disconnected;
  }

  async #ask<T>(start: (callback: NativeCallback<T>) => void): Promise<T> {
    this.#calls++;
    try {
      return await this.#call(start);
    } finally {
      this.#calls--;
    }
  }

  /**
   * Settles promises in a turn of the event loop. pcsclite calls back with the reader's lock held and runs no
   * microtasks: a promise settled there stalls, and a reader closed there waits for itself.
   */
  #call<T>(start: (callback: NativeCallback<T>) => void): Promise<T> {
    callBegins();
    return new Promise((resolve, reject) => {
      start((error, value) => {
        callEnds();
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
