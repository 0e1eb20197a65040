import { statSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { join } from 'node:path';
import { OutOfRangeError } from '../../apdu/errors.ts';
import { openDatagramOutput } from './datagram-output.ts';
import { openFileOutput, openStandardOutput } from './file-output.ts';
import { FileAwareOutput, type FileTarget } from './files/file-aware-output.ts';
import { openFolderOutput } from './files/folder-output.ts';
import { openHttpOutput } from './http-output.ts';
import type { Output, OutputAddress } from './output.ts';
import { PictureOutput } from './picture/picture-output.ts';

/** The syntax in words, for `--help` and for errors. */
export const OUTPUT_SYNTAX =
  'stdout, FILE, FOLDER (a file by its own name), udp://ADDRESS:PORT (MPEG-TS), rtp://ADDRESS:PORT, or http://ADDRESS:PORT[/PATH] (players open the ' +
  'address that is printed; without PATH it ends in one that nobody can guess)';

interface Scheme {
  /** 0 where the system may choose a free port. */
  readonly minPort: number;
  /** Whether a path may follow the port. */
  readonly hasPath?: true;
  readonly open: (to: OutputAddress) => Promise<Output>;
}

/** Scheme, address, port and path, as somebody may have meant them. */
const ADDRESS = /^(\w+):\/\/([^/:]*)(?::([^/]*))?(?:\/(.*))?$/;
/** A path of up to 8 parts that no player writes in another way. */
const PATH = /^[\w~-][\w.~-]{0,63}(?:\/[\w~-][\w.~-]{0,63}){0,7}$/;
/** The names that stand for an address, whatever a name server says. */
const NAMES = new Map([['localhost', '127.0.0.1']]);

/** The outputs that have an address. A new one of them goes here. */
const SCHEMES = new Map<string, Scheme>([
  ['udp', { minPort: 1, open: async (to) => new PictureOutput(await openDatagramOutput('udp', to)) }],
  ['rtp', { minPort: 1, open: async (to) => new PictureOutput(await openDatagramOutput('rtp', to)) }],
  ['http', { minPort: 0, hasPath: true, open: openHttpOutput }],
]);

export interface OpenOutputOptions {
  /** Whether a file that has something in it may be written over. */
  readonly overwrite?: boolean;
  /** Whether damaged groups of a file are paid for, too. */
  readonly takesDamaged?: boolean;
}

/**
 * Opens an output.
 * @param text see `OUTPUT_SYNTAX`.
 * @param local IPv4 address of the interface that multicast leaves by.
 * @throws OutOfRangeError when `text` does not name an output.
 * @throws TransportError `OUTPUT`, `OUTPUT_EXISTS`, `PORT_TAKEN`, `UDP_SEND` when it cannot be opened.
 */
export async function openOutput(text: string, local: string, options: OpenOutputOptions = {}): Promise<Output> {
  const { overwrite = false, takesDamaged = false } = options;
  const aware = (stream: Output, pathOf: FileTarget['pathOf']) =>
    new FileAwareOutput(stream, { pathOf, overwrite, takesDamaged });
  if (text === 'stdout' || text === '-') return aware(new PictureOutput(await openStandardOutput()), noPath);
  if (text !== '' && !/^\w+:\/\//.test(text)) {
    const isFolder = statSync(text, { throwIfNoEntry: false })?.isDirectory() === true;
    if (isFolder) return aware(openFolderOutput(text), ({ name }) => join(text, name));
    return aware(new PictureOutput(await openFileOutput(text, overwrite)), () => text);
  }
  const { scheme, ...to } = parseOutputAddress(text);
  return aware(await scheme.open({ ...to, interface: local }), noPath);
}

/** A file that comes has no place there. */
function noPath(): undefined {
  return undefined;
}

/** @throws OutOfRangeError saying what is wrong with it. */
function parseOutputAddress(text: string): { scheme: Scheme; address: string; port: number; path: string | undefined } {
  const [, name = '', host = '', digits = '', path = ''] = ADDRESS.exec(text) ?? [];
  const scheme = SCHEMES.get(name);
  const address = NAMES.get(host) ?? host;
  const port = Number(digits);
  const refuse = (why: string) =>
    new OutOfRangeError(`"${text.slice(0, 60)}" is not an output, as ${why}; write ${OUTPUT_SYNTAX}`);
  if (text === '') throw refuse('it is empty');
  if (scheme === undefined) throw refuse(`there is no output by ${name || 'that name'}`);
  if (!isIPv4(address)) throw refuse(`"${host.slice(0, 40)}" is not an IPv4 address or localhost`);
  if (!/^\d{1,5}$/.test(digits) || port < scheme.minPort || port > 65_535) {
    throw refuse(`its port is not a number from ${scheme.minPort} to 65535`);
  }
  if (path !== '' && scheme.hasPath !== true) throw refuse(`nothing may follow the port of ${name}`);
  if (path !== '' && !PATH.test(path)) throw refuse('its path has more than letters, digits, "-", "_", "." and "~"');
  return { scheme, address, port, path: path === '' ? undefined : path };
}
