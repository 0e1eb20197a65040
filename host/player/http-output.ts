import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { TransportError } from '../../apdu/errors.ts';
import type { ClearPackets } from '../stream/opening/clear-packets.ts';
import type { Output, OutputAddress } from './output.ts';

const MPEG_TS = 'video/mp2t';
/** Octets that may wait for one player, some seconds of a stream. A player that is slower is cut off. */
const MAX_WAITING = 8 * 1024 * 1024;
const MAX_PLAYERS = 64;

/**
 * Offers a recovered stream to players over HTTP. Each gets it from the moment when it connects.
 * @param at with port 0 the system chooses a free one.
 * @throws TransportError `PORT_TAKEN`, `OUTPUT`.
 */
export async function openHttpOutput(at: Pick<OutputAddress, 'address' | 'port'>): Promise<Output> {
  const { address, port } = at;
  const server = createServer();
  server.listen(port, address);
  try {
    await once(server, 'listening');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    if (code === 'EADDRINUSE') {
      throw new TransportError(
        'PORT_TAKEN',
        `TCP port ${port} of ${address} is taken by another program; stop it, or choose another port`,
        { cause },
      );
    }
    throw new TransportError('OUTPUT', `cannot offer http://${address}:${port} (${code}); name another address`, {
      cause,
    });
  }
  return new HttpOutput(server, address);
}

class HttpOutput implements Output {
  readonly where: string;
  readonly ended = new Promise<undefined>(() => undefined);
  lost = 0;
  onReady: (() => void) | undefined;
  readonly #server: Server;
  readonly #players = new Set<ServerResponse>();

  constructor(server: Server, address: string) {
    const bound = server.address();
    this.where = `http://${address}:${bound !== null && typeof bound === 'object' ? bound.port : 0}/`;
    this.#server = server;
    server.on('request', (request, response) => this.#answer(request, response));
  }

  /** While nobody watches, nothing is paid. */
  get isReady(): boolean {
    return this.#players.size > 0;
  }

  write(clear: ClearPackets): void {
    const payload = clear.payload.slice();
    for (const player of this.#players) {
      if (player.writableLength > MAX_WAITING) {
        this.lost += player.writableLength;
        this.#players.delete(player);
        player.destroy();
      } else {
        player.write(payload);
      }
    }
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const player of this.#players) player.end();
    // A player that does not take the rest within a second is cut off.
    const timer = setTimeout(() => this.#server.closeAllConnections(), 1000);
    this.#server.closeIdleConnections();
    await closed;
    clearTimeout(timer);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const plain = { 'Content-Type': 'text/plain; charset=utf-8' };
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { ...plain, Allow: 'GET, HEAD' }).end('only GET and HEAD are answered here\n');
    } else if (this.#players.size >= MAX_PLAYERS) {
      response.writeHead(503, plain).end(`there are ${MAX_PLAYERS} players already; close one and try again\n`);
    } else {
      response.writeHead(200, { 'Content-Type': MPEG_TS, 'Cache-Control': 'no-store', Connection: 'close' });
      if (request.method === 'HEAD') response.end();
      else this.#add(response);
    }
  }

  #add(player: ServerResponse): void {
    player.on('error', () => undefined);
    player.on('close', () => this.#players.delete(player));
    player.flushHeaders();
    const first = this.#players.size === 0;
    this.#players.add(player);
    if (first) this.onReady?.();
  }
}
