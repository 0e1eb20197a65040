import type { Socket } from 'node:net';
import { FormatError } from '../../../../apdu/errors.ts';

/** The longest payload: an answer of 65,538 octets, and the octet before it. */
const MAX_PAYLOAD = 70_000;
const LENGTH_OCTETS = 4;

/** What the lender says first, in JSON. */
export interface Greeting {
  /** As in `tollcast watch`. */
  readonly program: string;
  readonly process: number;
  /** Answer to reset of the card, in hexadecimal. */
  readonly atr: string;
}

/** First octet of what the lender answers to a command. */
export const REPLY = { answer: 0, failure: 1 } as const;

/** Why a command failed, in JSON behind `REPLY.failure`. */
export interface Failure {
  readonly code: string;
  readonly message: string;
}

/** @throws FormatError when it is not a greeting. */
export function parseGreeting(payload: Uint8Array): Greeting {
  const { program, process, atr } = parseObject(payload);
  if (typeof program === 'string' && typeof process === 'number' && typeof atr === 'string')
    return { program, process, atr };
  throw new FormatError('what has the card speaks another version of tollcast; end it, or start it anew');
}

/** @throws FormatError when it is not a failure. */
export function parseFailure(payload: Uint8Array): Failure {
  const { code, message } = parseObject(payload);
  if (typeof code === 'string' && typeof message === 'string') return { code, message };
  throw new FormatError('what has the card speaks another version of tollcast; end it, or start it anew');
}

function parseObject(payload: Uint8Array): Record<string, unknown> {
  const value: unknown = JSON.parse(Buffer.from(payload).toString());
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

/** Writes a frame: a length of 4 octets, big-endian, then the payload. */
export function writeFrame(socket: Socket, ...parts: readonly Uint8Array[]): void {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = Buffer.alloc(LENGTH_OCTETS);
  head.writeUInt32BE(length);
  socket.write(Buffer.concat([head, ...parts]));
}

/** Calls `take` with each whole frame that comes. A frame that is too long ends the connection. */
export function readFrames(socket: Socket, take: (payload: Uint8Array) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= LENGTH_OCTETS) {
      const length = rest.readUInt32BE(0);
      if (length > MAX_PAYLOAD) return void socket.destroy();
      if (rest.length < LENGTH_OCTETS + length) return;
      const payload = Uint8Array.from(rest.subarray(LENGTH_OCTETS, LENGTH_OCTETS + length));
      rest = rest.subarray(LENGTH_OCTETS + length);
      take(payload);
    }
  });
}
