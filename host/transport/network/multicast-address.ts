import { isIPv4 } from 'node:net';
import { OutOfRangeError } from '../../../apdu/errors.ts';

/** Where a service is on the network. */
export interface MulticastAddress {
  /** IPv4, multicast as a rule. */
  readonly address: string;
  /** Media port, even (RFC 3550 11). RTCP has the next one. */
  readonly port: number;
}

/** @throws OutOfRangeError when it is not an IPv4 address and an even port. */
export function parseMulticastAddress(text: string): MulticastAddress {
  const [, address = '', digits = ''] = /^([\d.]+):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (!isIPv4(address) || port < 2 || port > 65_532 || port % 2 !== 0) {
    throw new OutOfRangeError(
      `"${text.slice(0, 60)}" is not an address; write IPv4 and an even port from 2 to 65532, as in 239.1.2.3:5000`,
    );
  }
  return { address, port };
}

/**
 * Chooses the port of the key messages.
 * @param keyPort the one that is wanted; the media port + 2 when left out.
 * @throws OutOfRangeError when media or RTCP have it.
 */
export function chooseKeyPort(port: number, keyPort = port + 2): number {
  if (keyPort === port || keyPort === port + 1) {
    throw new OutOfRangeError(`--key-port ${keyPort} is taken by the media or its RTCP; leave it out or name another`);
  }
  return keyPort;
}
