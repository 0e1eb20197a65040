import { isIPv4 } from 'node:net';
import { OutOfRangeError } from '../../apdu/errors.ts';
import { openDatagramOutput } from './datagram-output.ts';
import { openFileOutput, openStandardOutput } from './file-output.ts';
import { openHttpOutput } from './http-output.ts';
import type { Output, OutputAddress } from './output.ts';

/** The syntax in words, for `--help` and for errors. */
export const OUTPUT_SYNTAX =
  'stdout, FILE, udp://ADDRESS:PORT (MPEG-TS), rtp://ADDRESS:PORT or http://ADDRESS:PORT (for any number of players)';

interface Scheme {
  /** 0 where the system may choose a free port. */
  readonly minPort: number;
  readonly open: (to: OutputAddress) => Promise<Output>;
}

/** The outputs that have an address. A new one of them goes here. */
const SCHEMES = new Map<string, Scheme>([
  ['udp', { minPort: 1, open: (to) => openDatagramOutput('udp', to) }],
  ['rtp', { minPort: 1, open: (to) => openDatagramOutput('rtp', to) }],
  ['http', { minPort: 0, open: openHttpOutput }],
]);

/**
 * Opens an output.
 * @param text see `OUTPUT_SYNTAX`.
 * @param local IPv4 address of the interface that multicast leaves by.
 * @throws OutOfRangeError when `text` does not name an output.
 * @throws TransportError `OUTPUT`, `PORT_TAKEN`, `UDP_SEND` when it cannot be opened.
 */
export async function openOutput(text: string, local: string): Promise<Output> {
  if (text === 'stdout' || text === '-') return openStandardOutput();
  if (text !== '' && !/^\w+:\/\//.test(text)) return openFileOutput(text);
  const [, scheme = '', address = '', digits = ''] = /^(\w+):\/\/([\d.]+):(\d{1,5})\/?$/.exec(text) ?? [];
  const found = SCHEMES.get(scheme);
  const port = Number(digits);
  if (found === undefined || !isIPv4(address) || port < found.minPort || port > 65_535) {
    throw new OutOfRangeError(`"${text.slice(0, 60)}" is not an output; write ${OUTPUT_SYNTAX}`);
  }
  return found.open({ address, port, interface: local });
}
