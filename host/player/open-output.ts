import { isIPv4 } from 'node:net';
import { OutOfRangeError } from '../../apdu/errors.ts';
import { openDatagramOutput } from './datagram-output.ts';
import { openFileOutput, openStandardOutput } from './file-output.ts';
import { openHttpOutput } from './http-output.ts';
import type { Output } from './output.ts';

/** The syntax in words, for `--help` and for errors. */
export const OUTPUT_SYNTAX =
  'stdout, FILE, udp://ADDRESS:PORT (MPEG-TS), rtp://ADDRESS:PORT or http://ADDRESS:PORT (for any number of players)';

/**
 * Opens an output (see `OUTPUT_SYNTAX`).
 * @param local IPv4 address of the interface that multicast leaves by.
 * @throws OutOfRangeError when it is none of these.
 * @throws TransportError `OUTPUT`, `PORT_TAKEN`, `UDP_SEND` when it cannot be opened.
 */
export async function openOutput(text: string, local: string): Promise<Output> {
  if (text === 'stdout' || text === '-') return openStandardOutput();
  const [, scheme] = /^(\w+):\/\//.exec(text) ?? [];
  if (scheme === undefined && text !== '') return openFileOutput(text);
  const [, address = '', digits = ''] = /^\w+:\/\/([\d.]+):(\d{1,5})\/?$/.exec(text) ?? [];
  const port = Number(digits);
  const least = scheme === 'http' ? 0 : 1;
  if (
    !isIPv4(address) ||
    port < least ||
    port > 65_535 ||
    (scheme !== 'udp' && scheme !== 'rtp' && scheme !== 'http')
  ) {
    throw new OutOfRangeError(`"${text.slice(0, 60)}" is no output; write ${OUTPUT_SYNTAX}`);
  }
  return scheme === 'http' ? openHttpOutput(address, port) : openDatagramOutput(scheme, address, port, local);
}
