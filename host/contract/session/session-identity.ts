import { FormatError } from '../../../apdu/errors.ts';

/**
 * What a session is known by, whatever version of it is announced: the origin of its SDP without the version (RFC 4566
 * 5.2). The address is the originator's, not the one that packets are sent to.
 */
export interface SessionIdentity {
  /** User name of the origin, 1 to 64 characters without white space. */
  readonly user: string;
  /** Session id of the origin, 1 to 20 digits. */
  readonly id: string;
  /** IPv4, or IPv6 as it is written. */
  readonly address: string;
}

const USER = /^[!-~]{1,64}$/;
const ID = /^\d{1,20}$/;
const ADDRESS = /^[0-9a-fA-F.:]{3,45}$/;
/** Characters of {@link formatSession} at most. */
const MAX_SESSION_LENGTH = 64 + 1 + 20 + 1 + 45;

/** Writes an identity as an origin without its version: `finnkino 457286529 172.10.20.212`. */
export function formatSession({ user, id, address }: SessionIdentity): string {
  return `${user} ${id} ${address}`;
}

/**
 * Reads what {@link formatSession} wrote.
 * @throws FormatError for anything else.
 */
export function parseSession(text: string): SessionIdentity {
  const [user = '', id = '', address = '', ...rest] = text.slice(0, MAX_SESSION_LENGTH + 1).split(' ');
  if (!USER.test(user) || !ID.test(id) || !ADDRESS.test(address) || rest.length > 0) {
    throw new FormatError(
      `"${text.slice(0, 40)}" is not a session; write user name, session id and address of its origin, ` +
        'as in "finnkino 457286529 172.10.20.212"',
    );
  }
  return { user, id, address };
}

/**
 * The session of an SDP origin (RFC 4566 5.2), whose third word is the version.
 * @param origin what stands behind `o=`: `finnkino 457286529 1453 IN IP4 172.10.20.212`. Network type and address type
 *   may be left out.
 * @throws FormatError when it is not an origin.
 */
export function sessionOfOrigin(origin: string): SessionIdentity {
  const words = origin.slice(0, 200).trim().split(/\s+/);
  const [user, id, version = ''] = words;
  const address = words.length === 4 || words.length === 6 ? words.at(-1) : undefined;
  if (address === undefined || !ID.test(version)) {
    throw new FormatError(`"${origin.slice(0, 40)}" is not the origin of an SDP; see RFC 4566 5.2`);
  }
  return parseSession(`${user} ${id} ${address}`);
}
