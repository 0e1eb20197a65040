import { createHash, type X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { TransportError } from '../../../apdu/errors.ts';
import { toHex } from '../../../apdu/octets.ts';

/** A request to a server that is known by its key. */
export interface PinnedRequest {
  readonly url: URL;
  /**
   * SHA-256 of the server's public key (SubjectPublicKeyInfo, DER), hexadecimal. Left out, any server is asked: for
   * what is signed, and proves itself.
   */
  readonly tlsKey?: string;
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Octets of the answer that are read at most. */
  readonly maxAnswer: number;
  /** ms for all of it; 10,000 when left out. */
  readonly timeout?: number;
  /** Ends it early, as if there were no answer. */
  readonly signal?: AbortSignal | undefined;
}

export interface PinnedAnswer {
  readonly status: number;
  /** The media type, without its parameters. */
  readonly type: string;
  readonly body: Uint8Array;
}

const DEFAULT_TIMEOUT = 10_000;

/**
 * Sends a request over TLS to a server whose key is known. No certificate authority is asked: the key alone counts, and
 * nothing is sent to a server that has another one.
 * @throws TransportError `HTTPS` when it does not answer, has another key, or answers with too much.
 */
export async function requestPinned(pinned: PinnedRequest): Promise<PinnedAnswer> {
  const { url, timeout = DEFAULT_TIMEOUT } = pinned;
  const signal = AbortSignal.any([
    AbortSignal.timeout(timeout),
    ...(pinned.signal === undefined ? [] : [pinned.signal]),
  ]);
  let socket: TLSSocket | undefined;
  try {
    socket = connect({
      host: url.hostname,
      port: Number(url.port === '' ? '443' : url.port),
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      ...(isIP(url.hostname) === 0 && { servername: url.hostname }),
    });
    await once(socket, 'secureConnect', { signal });
    requireKey(socket.getPeerX509Certificate(), pinned.tlsKey, url);
    return await exchange(pinned, socket, signal);
  } catch (cause) {
    if (cause instanceof TransportError) throw cause;
    throw new TransportError('HTTPS', `${url.origin} does not answer; check the address, and that its server runs`, {
      cause,
    });
  } finally {
    socket?.destroy();
  }
}

function requireKey(certificate: X509Certificate | undefined, tlsKey: string | undefined, url: URL): void {
  if (tlsKey === undefined) return;
  const key = certificate?.publicKey.export({ type: 'spki', format: 'der' });
  if (key !== undefined && toHex(createHash('sha256').update(key).digest()) === tlsKey) return;
  throw new TransportError('HTTPS', `${url.origin} shows another key than the one that is known; send it nothing`);
}

async function exchange(
  { url, method = 'GET', headers = {}, body, maxAnswer }: PinnedRequest,
  socket: TLSSocket,
  signal: AbortSignal,
): Promise<PinnedAnswer> {
  const request = requestHttp(url, {
    // The socket is TLS already.
    protocol: 'http:',
    method,
    signal,
    createConnection: () => socket,
    headers: { ...headers, ...(body !== undefined && { 'content-length': String(body.length) }) },
  });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve).once('error', reject);
  });
  request.end(body);
  const answer = await answered;
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > maxAnswer) {
      throw new TransportError('HTTPS', `${url.origin} answers with more than ${maxAnswer} octets; ask its operator`);
    }
    parts.push(part);
  }
  const [type = ''] = (answer.headers['content-type'] ?? '').split(';');
  return { status: answer.statusCode ?? 0, type, body: new Uint8Array(Buffer.concat(parts)) };
}
