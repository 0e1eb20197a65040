import { isIPv4 } from 'node:net';
import type { Command } from 'commander';
import { InputError } from '../../../apdu/errors.ts';
import { DEFAULT_SAP_ADDRESS } from '../../contract/announcement/sap-packet.ts';

/** Where offers are looked for. */
export interface HeadEndOptions {
  /** The only head-end that is asked; without it announcements are heard. */
  readonly headEnd?: URL;
  /** Multicast address of the announcements. */
  readonly announcements: string;
  /** IPv4 address of the interface to hear them by. */
  readonly interface: string;
}

/** Adds the options of every command that looks for channels. */
export function addHeadEndOptions(command: Command): Command {
  return command
    .option(
      '--head-end <url>',
      'ask this head-end alone, as in https://tv.example:8443 (default: those that are announced, and one of this machine)',
      parseHeadEnd,
    )
    .option('--announcements <address>', 'multicast address of announcements', parseAddress, DEFAULT_SAP_ADDRESS)
    .option('--interface <address>', 'address of the interface to receive by', '127.0.0.1');
}

function parseAddress(text: string): string {
  if (isIPv4(text)) return text;
  throw new InputError(`"${text.slice(0, 80)}" is not an IPv4 address; write it as in ${DEFAULT_SAP_ADDRESS}`);
}

/** @throws InputError when it is not one. */
export function parseHeadEnd(text: string): URL {
  const url = URL.parse(text);
  if (url !== null && url.protocol === 'https:' && url.hostname !== '') return url;
  throw new InputError(
    `"${text.slice(0, 80)}" is not the address of a head-end; write it as in https://tv.example:8443`,
  );
}
