import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** A player's request that gets no stream. */
export interface RequestRefusal {
  readonly status: 403 | 404 | 405;
  /** What happened, then what to do. */
  readonly text: string;
}

/** Where the stream is offered. */
export interface OfferedAt {
  /** IPv4 address that is listened on. */
  readonly address: string;
  /** The path's only part, which whoever may watch is told. */
  readonly token: string;
}

/** What a browser says of a request that the user made, or a page of this very address. */
const OWN_SITES: ReadonlySet<string> = new Set(['none', 'same-origin']);
const HTTP_PORT = 80;

/**
 * Checks a request before it may become a player. A web page of another site makes requests from this machine too: it
 * is told by its Origin and by Sec-Fetch-Site, and by its Host after DNS rebinding. Players send none of the two.
 * @returns nothing when the request may be answered.
 */
export function checkRequest(request: IncomingMessage, at: OfferedAt): RequestRefusal | undefined {
  const { host = '', origin } = request.headers;
  const site = request.headers['sec-fetch-site'];
  if (!isOwnHost(host.toLowerCase(), request, at.address)) {
    return { status: 403, text: `this is not ${host.slice(0, 80)}; open the address that tollcast watch printed` };
  }
  const isForeign = origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`;
  if (isForeign || (site !== undefined && !(typeof site === 'string' && OWN_SITES.has(site)))) {
    return { status: 403, text: 'another web site asked for this; type the address yourself, or open it in a player' };
  }
  const [path = ''] = (request.url ?? '').split('?', 1);
  if (!isToken(path.slice(1), at.token)) {
    return {
      status: 404,
      text: 'there is nothing here; open the whole address that tollcast watch printed after "output to"',
    };
  }
  const { method } = request;
  if (method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS') {
    return { status: 405, text: `${String(method)} is not answered here; send GET, HEAD or OPTIONS` };
  }
  return undefined;
}

/** A name that another site's owner gives this machine's address to is not a host of its own. */
function isOwnHost(host: string, { socket }: IncomingMessage, address: string): boolean {
  const { localAddress = address, localPort } = socket;
  const names = [address, localAddress, ...(localAddress.startsWith('127.') ? ['localhost'] : [])];
  return names.some((name) => host === `${name}:${localPort}` || (localPort === HTTP_PORT && host === name));
}

/** Takes as long whatever they have in common. */
function isToken(given: string, token: string): boolean {
  return timingSafeEqual(hash('sha256', given, 'buffer'), hash('sha256', token, 'buffer'));
}
