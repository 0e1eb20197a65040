import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { TransportError } from '../../apdu/errors.ts';
import { findPageFile } from './page-files.ts';
import type { Relay } from './relay.ts';

/** Browsers give cards and keys to pages of this machine, or of HTTPS; a proxy makes that of the one the other. */
const ADDRESS = '127.0.0.1';
/** Where a page gets the service, below its own address. */
const STREAM = '/stream';
const MAX_PAGES = 24;
/** Pages load some hundred modules, over at most six connections each. */
const MAX_CONNECTIONS = 8 * MAX_PAGES;
/** ms within which a connection has to send its request. */
const REQUEST_TIME = 5000;
/** ms between the questions whether a page is there. */
const PING_EVERY = 10_000;
/** A page sends nothing. */
const MAX_FROM_PAGE = 125;

/** Serves the page that decodes a service in the browser, and the service itself, as it comes, by WebSocket. */
export class RelayServer {
  readonly where: string;
  readonly #server: Server;
  readonly #sockets: WebSocketServer;
  readonly #timer: NodeJS.Timeout;

  /**
   * @param port with 0 the system chooses a free one. A page keeps its card by address and port.
   * @throws TransportError `PORT_TAKEN`.
   */
  static async open(relay: Relay, port: number): Promise<RelayServer> {
    const server = createServer({
      headersTimeout: REQUEST_TIME,
      requestTimeout: REQUEST_TIME,
      connectionsCheckingInterval: REQUEST_TIME / 5,
    });
    server.maxConnections = MAX_CONNECTIONS;
    server.listen(port, ADDRESS);
    try {
      await once(server, 'listening');
    } catch (cause) {
      throw listenError(port, cause);
    }
    return new RelayServer(server, relay);
  }

  private constructor(server: Server, relay: Relay) {
    const bound = server.address();
    this.where = `http://${ADDRESS}:${bound !== null && typeof bound === 'object' ? bound.port : 0}/`;
    this.#server = server;
    // The media is encrypted: it gets no smaller.
    this.#sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: MAX_FROM_PAGE });
    server.on('request', (request, response) => void answer(request, response));
    server.on('upgrade', (request, socket: Duplex, head) => {
      socket.on('error', () => undefined);
      const status = refusalOf(request, relay.pages);
      if (status !== undefined) return void socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
      this.#sockets.handleUpgrade(request, socket, head, (page) => {
        page.on('error', () => undefined);
        answering.set(page, true);
        page.on('pong', () => answering.set(page, true));
        relay.add(page);
      });
    });
    const answering = new WeakMap<WebSocket, boolean>();
    this.#timer = setInterval(() => {
      for (const page of this.#sockets.clients) {
        if (answering.get(page) !== true) page.terminate();
        answering.set(page, false);
        page.ping();
      }
    }, PING_EVERY).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const page of this.#sockets.clients) page.terminate();
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

/** Why a page gets no stream, as the first line of an answer says it. */
function refusalOf({ url, headers }: IncomingMessage, pages: number): string | undefined {
  if (url !== STREAM) return '404 Not Found';
  // A page of another site may connect too; its Origin is not this address.
  const from = URL.parse(headers.origin ?? '')?.host;
  if (from === undefined || from !== headers.host?.toLowerCase()) return '403 Forbidden';
  return pages < MAX_PAGES ? undefined : '503 Service Unavailable';
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('Cache-Control', 'no-cache').setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Cross-Origin-Resource-Policy', 'same-origin').setHeader('Referrer-Policy', 'no-referrer');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { Allow: 'GET, HEAD' }).end();
    return;
  }
  const [path = ''] = (request.url ?? '').split('?', 1);
  const file = await findPageFile(path).catch(() => undefined);
  if (file === undefined) {
    response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' }).end('there is nothing here; open /\n');
    return;
  }
  if (file.policy !== undefined) response.setHeader('Content-Security-Policy', file.policy);
  response.writeHead(200, { 'Content-Type': file.type }).end(request.method === 'HEAD' ? undefined : file.content);
}

function listenError(port: number, cause: unknown): TransportError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  const what = code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be listened on (${code})`;
  const text = `TCP port ${port} of ${ADDRESS} ${what}; stop what has it, or choose another with --port`;
  return new TransportError('PORT_TAKEN', text, { cause });
}
