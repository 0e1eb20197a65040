import { FormatError } from '../../apdu/errors.ts';
import type { Bridge } from '../bridge/bridge.ts';
import { parseRelayMessage } from '../contract/relay/relay-message.ts';

/** ms after which a connection that broke is made again. */
const RETRY_AFTER = 1000;

/** Gets a service from the relay that served the page, until it is closed. */
export class RelayedStream {
  readonly #url: string;
  readonly #bridge: Bridge;
  readonly #onChange: (isConnected: boolean) => void;
  #socket: WebSocket | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  /** @param onChange called when the connection is made, and when it breaks. */
  constructor(url: string, bridge: Bridge, onChange: (isConnected: boolean) => void) {
    this.#url = url;
    this.#bridge = bridge;
    this.#onChange = onChange;
    this.#connect();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#socket?.close();
  }

  #connect(): void {
    const socket = (this.#socket = new WebSocket(this.#url));
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('open', () => this.#onChange(true));
    socket.addEventListener('message', ({ data }) => this.#receive(data));
    socket.addEventListener('close', () => {
      if (this.#isClosed) return;
      this.#onChange(false);
      this.#retry = setTimeout(() => this.#connect(), RETRY_AFTER);
    });
  }

  #receive(data: unknown): void {
    if (!(data instanceof ArrayBuffer)) return;
    try {
      const { port, datagrams, sources } = parseRelayMessage(new Uint8Array(data));
      if (port === 'media') this.#bridge.receiveMedia(datagrams, sources);
      else if (port === 'keys') this.#bridge.receiveKeys(datagrams, sources);
      else this.#bridge.receiveRtcp(datagrams);
    } catch (error) {
      // What is not a message is let go, as a datagram would be.
      if (!(error instanceof FormatError)) throw error;
    }
  }
}
