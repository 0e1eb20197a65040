import type { BoundReader, Connection } from './pcsc-port.ts';
import { type PcscError, pcscErrorFrom, pcscErrorOf, SCARD } from './pcsc-error.ts';
import type { NativeCallback, NativeReader } from './pcsclite-native.ts';

const SHARE_EXCLUSIVE = 1;
const PROTOCOL_T0 = 1;
const PROTOCOL_T1 = 2;
const LEAVE_CARD = 0;
const RESET_CARD = 1;
/** 65,536 octets of data and the status word. */
const ANSWER_OCTETS = 65_538;

export class PcscliteReader implements BoundReader {
  readonly name: string;
  state: number | undefined;
  atr: Uint8Array = new Uint8Array();
  gone = false;
  readonly #native: NativeReader;
  readonly #onError: (error: PcscError) => void;
  #connection: PcscliteConnection | undefined;

  /** @param onError told of every call that fails. */
  constructor(native: NativeReader, onError: (error: PcscError) => void) {
    this.#native = native;
    this.#onError = onError;
    this.name = native.name;
  }

  update(state: number, atr: Uint8Array | undefined): void {
    this.state = state >>> 0;
    this.atr = Uint8Array.from(atr ?? []);
  }

  async connect(): Promise<Connection> {
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

class PcscliteConnection implements Connection {
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
    // On what it takes for a connection pcsclite answers without asking pcscd.
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
    // No Buffer leaves here: its `slice` does not copy.
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
   * pcsclite calls back with the reader's lock held and without running microtasks: a promise settled there stalls,
   * and a reader closed there waits for itself.
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
