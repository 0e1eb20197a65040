import { FormatError, OutOfRangeError } from '../../../apdu/errors.ts';
import { layout } from '../../../apdu/layout/field-table.ts';
import { u8, u16, u48 } from '../../../apdu/layout/field.ts';

/** Which port of a service datagrams came to; the number in a message is the place in this list. */
export const SERVICE_PORTS = ['media', 'rtcp', 'keys'] as const;

export type ServicePort = (typeof SERVICE_PORTS)[number];

/** Octets of a message at most: more than a full turn of a receive buffer. */
export const MAX_RELAY_MESSAGE = 8 * 1024 * 1024;
const MAX_DATAGRAM = 0xffff;

const HEAD = layout('relay message', { port: u8() });
const DATAGRAM = layout('relayed datagram', {
  /** IPv4 address (u32) and port (u16) of its sender. */
  source: u48(),
  length: u16(),
});

/** Datagrams of one port in the order in which they came. */
export interface RelayedDatagrams {
  readonly port: ServicePort;
  readonly datagrams: readonly Uint8Array[];
  /** Where each came from, as one number of 48 bits. */
  readonly sources: ArrayLike<number>;
}

/**
 * Encodes datagrams as one message from the relay to a page (page.md 2).
 * @throws OutOfRangeError when a datagram is longer than 65,535 octets, or all of them than `MAX_RELAY_MESSAGE`.
 */
export function encodeRelayMessage({ port, datagrams, sources }: RelayedDatagrams): Uint8Array<ArrayBuffer> {
  const length = datagrams.reduce((sum, datagram) => sum + DATAGRAM.length + datagram.length, HEAD.length);
  if (length > MAX_RELAY_MESSAGE || datagrams.some((datagram) => datagram.length > MAX_DATAGRAM)) {
    throw new OutOfRangeError(
      `a relay message has at most ${MAX_RELAY_MESSAGE} octets, in datagrams of ${MAX_DATAGRAM}`,
    );
  }
  const message = new Uint8Array(length);
  HEAD.writeUint(message, 'port', SERVICE_PORTS.indexOf(port));
  let end = HEAD.length;
  for (const [i, datagram] of datagrams.entries()) {
    DATAGRAM.writeUints(message, { source: sources[i] ?? 0, length: datagram.length }, end);
    message.set(datagram, end + DATAGRAM.length);
    end += DATAGRAM.length + datagram.length;
  }
  return message;
}

/**
 * Parses a message of a relay.
 * @returns datagrams that are views of it.
 * @throws FormatError when it is not one, or is longer than `MAX_RELAY_MESSAGE`.
 */
export function parseRelayMessage(message: Uint8Array): RelayedDatagrams {
  const port = message.length > MAX_RELAY_MESSAGE ? undefined : SERVICE_PORTS[message[0] ?? SERVICE_PORTS.length];
  if (port === undefined) throw notOne();
  const datagrams: Uint8Array[] = [];
  const sources: number[] = [];
  for (let at = HEAD.length; at < message.length;) {
    const from = at + DATAGRAM.length;
    if (from > message.length) throw notOne();
    const end = from + DATAGRAM.readUint(message, 'length', at);
    if (end > message.length) throw notOne();
    sources.push(DATAGRAM.readUint(message, 'source', at));
    datagrams.push(message.subarray(from, end));
    at = end;
  }
  return { port, datagrams, sources };
}

function notOne(): FormatError {
  return new FormatError('what came is not a message of a relay; use a page and a relay of the same version');
}
