import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';

/** What a connection gets back for one frame; `undefined` for no answer. */
export type FrameHandler = (payload: Uint8Array, socket: Socket) => Uint8Array | undefined;

/** A card behind TCP as the runner offers it, or one that misbehaves. */
export class TcpCardServer {
  readonly sockets: Set<Socket> = new Set();
  /** Every payload as it came, controls too. */
  readonly frames: Uint8Array[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async listen(answer: FrameHandler): Promise<TcpCardServer> {
    const server = createServer({ noDelay: true });
    const card = new TcpCardServer(server);
    server.on('connection', (socket) => card.#serve(socket, answer));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return card;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the server does not listen');
    return address.port;
  }

  #serve(socket: Socket, answer: FrameHandler): void {
    this.sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.sockets.delete(socket));
    let rest = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const payload = Uint8Array.from(rest.subarray(2, 2 + rest.readUInt16BE(0)));
        rest = rest.subarray(2 + payload.length);
        this.frames.push(payload);
        const reply = answer(payload, socket);
        if (reply !== undefined) socket.write(frame(reply));
      }
    });
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

export function frame(payload: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(2 + payload.length);
  framed.writeUInt16BE(payload.length, 0);
  framed.set(payload, 2);
  return framed;
}
