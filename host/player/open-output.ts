import { isIPv4 } from 'node:net';
import { OutOfRangeError } from '../../apdu/errors.ts';
import { openDatagramOutput } from './datagram-output.ts';
import { openFileOutput, openStandardOutput } from './file-output.ts';
import { openHttpOutput } from './http-output.ts';
import type { Output, OutputAddress } from './output.ts';

/** The syntax in words, for `--help` and for errors. */
export const OUTPUT_SYNTAX =
  'stdout, FILE, udp://ADDRESS:PORT (MPEG-TS), rtp://ADDRESS:PORT, or http://ADDRESS:PORT[/NAME] (players open the ' +
  'address that is printed; without NAME it ends in one that nobody can guess)';

interface Scheme {
  /** 0 where the system may choose a free port. */
  readonly minPort: number;
  /** Whether a path may follow the port. */
  readonly hasPath?: true;
  readonly open: (to: OutputAddress) => Promise<Output>;
}

/** Scheme, address, port, and a path that no player writes in another way. */
const ADDRESS = /^(\w+):\/\/([\d.]+):(\d{1,5})(?:\/([\w~-][\w.~-]{0,63})?)?$/;

/** The outputs that have an address. A new one of them goes here. */
const SCHEMES = new Map<string, Scheme>([
  ['udp', { minPort: 1, open: (to) => openDatagramOutput('udp', to) }],
  ['rtp', { minPort: 1, open: (to) => openDatagramOutput('rtp', to) }],
  ['http', { minPort: 0, hasPath: true, open: openHttpOutput }],
]);

export interface OpenOutputOptions {
  /** Whether a file that has something in it may be written over. */
  readonly overwrite?: boolean;
}

/**
 * Opens an output.
 * @param text see `OUTPUT_SYNTAX`.
 * @param local IPv4 address of the interface that multicast leaves by.
 * @throws OutOfRangeError when `text` does not name an output.
 * @throws TransportError `OUTPUT`, `OUTPUT_EXISTS`, `PORT_TAKEN`, `UDP_SEND` when it cannot be opened.
 */
export async function openOutput(text: string, local: string, options: OpenOutputOptions = {}): Promise<Output> {
  if (text === 'stdout' || text === '-') return openStandardOutput();
  if (text !== '' && !/^\w+:\/\//.test(text)) return openFileOutput(text, options.overwrite === true);
  const [, scheme = '', address = '', digits = '', path] = ADDRESS.exec(text) ?? [];
  const found = SCHEMES.get(scheme);
  const port = Number(digits);
  const isPathRight = path === undefined || found?.hasPath === true;
  if (found === undefined || !isIPv4(address) || port < found.minPort || port > 65_535 || !isPathRight) {
    throw new OutOfRangeError(`"${text.slice(0, 60)}" is not an output; write ${OUTPUT_SYNTAX}`);
  }
  return found.open({ address, port, path, interface: local });
}
