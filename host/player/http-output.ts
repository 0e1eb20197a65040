import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { TransportError } from '../../apdu/errors.ts';
import { concat } from '../../apdu/octets.ts';
import type { ClearPackets } from '../stream/opening/clear-packets.ts';
import { loadSendLimits, type SendLimits } from '../transport/network/send-limits.ts';
import { readTcpQueues, type UnreadOctets } from '../transport/network/tcp-queues.ts';
import { answerBrowser } from './browser-page.ts';
import { detectContentType } from './content-type.ts';
import type { Output, OutputAddress } from './output.ts';
import { MAX_PICTURE_WAIT } from './picture/picture-output.ts';
import { type PictureEntry, PictureTracker } from './picture/picture-tracker.ts';
import { PlayerQueue } from './player-queue.ts';
import { checkRequest, type OfferedAt } from './request-check.ts';

/** ms between looks at what players have not read: where the system's own buffers are limited, and where they are not. */
const LOOK_EVERY = 250;
const LOOK_OFTEN = 20;
/** A look takes some ms where the system has large tables; so many times that long is waited for the next. */
const LOOK_PAUSE = 5;
/** Octets that may wait for one player; the buffers of the system on both sides come on top. */
const MAX_WAITING = 96 * 1024;
/** Octets that the system takes for a player on this machine, and for one that answers from further away. */
const SEND_BUFFER = 64 * 1024;
const MAX_SEGMENT = 8 * 1024;
const SEND_BUFFER_FAR = 256 * 1024;
const MAX_PLAYERS = 24;
/** Players and those that have asked for nothing yet: each takes a file descriptor, which the card's file wants too. */
const MAX_CONNECTIONS = MAX_PLAYERS + 8;
/** ms within which a connection has to send its request. */
const REQUEST_TIME = 5000;
/** ms after which a player that says nothing is asked by TCP whether it is there. */
const PROBE_AFTER = 10_000;
/** Random octets of a token. */
const TOKEN_LENGTH = 16;
const ALLOW = 'GET, HEAD, OPTIONS';

/**
 * Offers a recovered stream to players over HTTP. Each gets it from the moment when it connects.
 * @param at with port 0 the system chooses a free one; without a path, the address ends in a random token.
 * @throws TransportError `PORT_TAKEN`, `OUTPUT`.
 */
export async function openHttpOutput(at: Omit<OutputAddress, 'interface'>): Promise<Output> {
  const { address, port, path = randomBytes(TOKEN_LENGTH).toString('base64url') } = at;
  const server = createServer({
    headersTimeout: REQUEST_TIME,
    requestTimeout: REQUEST_TIME,
    connectionsCheckingInterval: REQUEST_TIME / 5,
    keepAlive: true,
    keepAliveInitialDelay: PROBE_AFTER,
  });
  server.maxConnections = MAX_CONNECTIONS;
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
  const limits = await loadSendLimits();
  limits?.limitSegments(server, MAX_SEGMENT);
  return new HttpOutput(server, { address, token: path }, limits);
}

class HttpOutput implements Output {
  readonly where: string;
  readonly ended = new Promise<undefined>(() => undefined);
  lost = 0;
  withheld = 0;
  onReady: (() => void) | undefined;
  readonly #server: Server;
  readonly #at: OfferedAt;
  readonly #limits: SendLimits | undefined;
  readonly #players = new Map<ServerResponse, Player>();
  readonly #tracker = new PictureTracker();
  #lookTimer: NodeJS.Timeout | undefined;
  /** Of the stream; the first packets tell it. */
  #contentType: string | undefined;

  constructor(server: Server, at: OfferedAt, limits: SendLimits | undefined) {
    this.#limits = limits;
    const bound = server.address();
    const port = bound !== null && typeof bound === 'object' ? bound.port : 0;
    this.where = `http://${at.address}:${port}/${at.token}`;
    this.#server = server;
    this.#at = at;
    server.on('request', (request, response) => this.#answer(request, response));
  }

  /** While nobody watches, or whoever watches has paused, nothing is paid. */
  get isReady(): boolean {
    for (const { queue } of this.#players.values()) if (queue.isReady) return true;
    return false;
  }

  /** A player that does not read misses what the others get. */
  write(clear: ClearPackets): void {
    this.#contentType ??= detectContentType(clear);
    const { length } = clear.payload;
    if (this.#players.size === 0) this.lost += length;
    const entry = clear.isStart === true ? 'anywhere' : this.#tracker.findEntry(clear.payload);
    const parts = new PartsOfBatch(clear, entry, this.#tracker);
    const { isReady } = this;
    let given = 0;
    for (const [response, player] of this.#players) {
      if (isReady && !player.queue.isReady) continue;
      const part = player.hasBegun ? parts.whole : parts.begin(player.waitsSince);
      if (part === undefined) continue;
      if (!response.headersSent) response.setHeader('Content-Type', this.#contentType);
      player.queue.write(part);
      given = Math.max(given, player.hasBegun ? length : parts.begun);
      player.hasBegun = true;
    }
    if (this.#players.size > 0) this.withheld += Math.max(0, length - given);
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const player of this.#players.keys()) player.end();
    // A player that does not take the rest within a second is cut off.
    const timer = setTimeout(() => this.#server.closeAllConnections(), 1000);
    this.#server.closeIdleConnections();
    await closed;
    clearTimeout(timer);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    response.setHeader('Connection', 'close').setHeader('Cache-Control', 'no-store');
    // Another site's page can neither show the answer nor guess what it is, nor be told the address by a link.
    response.setHeader('Cross-Origin-Resource-Policy', 'same-origin').setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Referrer-Policy', 'no-referrer');
    const refusal = checkRequest(request, this.#at);
    if (refusal !== undefined) {
      refuse(response, refusal.status, refusal.text);
    } else if (request.method === 'OPTIONS') {
      response.writeHead(204, { Allow: ALLOW }).end();
    } else if (request.method === 'HEAD') {
      if (this.#contentType !== undefined) response.setHeader('Content-Type', this.#contentType);
      response.writeHead(200).end();
    } else if (answerBrowser(request, response, this.#contentType)) {
      // The page asks for the stream itself.
    } else if (this.#players.size >= MAX_PLAYERS) {
      refuse(response, 503, `there are ${MAX_PLAYERS} players already; close one and try again`);
    } else {
      this.#add(response);
    }
  }

  #add(player: ServerResponse): void {
    player.on('error', () => undefined);
    player.on('close', () => this.#remove(player));
    // Of a stream that has not begun the headers go with the first octets, when it is known what they are.
    if (this.#contentType !== undefined) player.setHeader('Content-Type', this.#contentType).flushHeaders();
    const { isReady } = this;
    const queue = new PlayerQueue(player, MAX_WAITING, () => this.onReady?.());
    const { socket } = player;
    if (socket !== null) this.#limits?.limitBuffer(socket, isNear(socket) ? SEND_BUFFER : SEND_BUFFER_FAR);
    this.#players.set(player, { queue, waitsSince: performance.now(), hasBegun: false });
    if (!isReady) this.onReady?.();
    void this.#lookAtPlayers();
  }

  #remove(player: ServerResponse): void {
    // What waited for the last one nobody gets.
    if (this.#players.size === 1) this.lost += this.#players.get(player)?.queue.unread ?? 0;
    this.#players.delete(player);
  }

  /** Looks at what each player has not read, as far as the system tells, and again after a while. */
  async #lookAtPlayers(): Promise<void> {
    clearTimeout(this.#lookTimer);
    const startedAt = performance.now();
    const unread = await readTcpQueues();
    const taken = performance.now() - startedAt;
    for (const [{ socket }, { queue }] of this.#players) {
      const held = countHeld(socket, unread);
      if (held !== undefined) queue.setHeld(held);
    }
    if (this.#players.size === 0) return;
    const pause = Math.max(this.#limits === undefined ? LOOK_OFTEN : LOOK_EVERY, LOOK_PAUSE * taken);
    this.#lookTimer = setTimeout(() => void this.#lookAtPlayers(), pause).unref();
  }
}

/** Somebody who watches. */
interface Player {
  readonly queue: PlayerQueue;
  /** ms, when it connected. */
  readonly waitsSince: number;
  /** Whether it has got its first picture. */
  hasBegun: boolean;
}

/** What the players of one batch of packets get. */
class PartsOfBatch {
  readonly #clear: ClearPackets;
  readonly #entry: PictureEntry | 'anywhere' | undefined;
  readonly #tracker: PictureTracker;
  #whole: Uint8Array | undefined;
  #begun: Uint8Array | undefined;
  /** Octets of the stream that a player gets that begins. */
  begun = 0;

  constructor(clear: ClearPackets, entry: PictureEntry | 'anywhere' | undefined, tracker: PictureTracker) {
    this.#clear = clear;
    this.#entry = entry;
    this.#tracker = tracker;
  }

  /** For a player that has begun. */
  get whole(): Uint8Array {
    return (this.#whole ??= this.#clear.payload.slice());
  }

  /** For a player that begins; undefined while no picture does. @param since ms, when it connected. */
  begin(since: number): Uint8Array | undefined {
    this.begun = this.#clear.payload.length;
    if (this.#entry === 'anywhere') return this.whole;
    const isLate = performance.now() - since > MAX_PICTURE_WAIT;
    const entry = this.#entry ?? (isLate ? { offset: 0, tables: this.#tracker.tables } : undefined);
    if (entry === undefined) return undefined;
    this.begun -= entry.offset;
    return (this.#begun ??= concat(entry.tables, this.#clear.payload.subarray(entry.offset)));
  }
}

/** Whether the player is on this machine. */
function isNear({ localAddress, remoteAddress }: Socket): boolean {
  return remoteAddress === localAddress;
}

/** Octets on their way to a player, or come and not read. */
function countHeld(socket: Socket | null, unread: UnreadOctets | undefined): number | undefined {
  const { localAddress, localPort = 0, remoteAddress, remotePort = 0 } = socket ?? {};
  if (unread === undefined || localAddress === undefined || remoteAddress === undefined) return undefined;
  return unread({ address: localAddress, port: localPort }, { address: remoteAddress, port: remotePort });
}

function refuse(response: ServerResponse, status: number, text: string): void {
  if (status === 405) response.setHeader('Allow', ALLOW);
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}
