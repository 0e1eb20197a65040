import { isIPv4 } from 'node:net';
import { OutOfRangeError } from '../../../apdu/errors.ts';
import { isMulticast } from '../../transport/network/udp-sender.ts';

/** Sources that one socket can name. */
const MAX_SOURCES = 8;

/** Adds an address that packets come from, as commander calls it for each `--source`. @throws OutOfRangeError */
export function addSource(text: string, before: readonly string[] = []): readonly string[] {
  if (!isIPv4(text) || isMulticast(text)) {
    throw new OutOfRangeError(
      `"${text.slice(0, 60)}" is not the address of a sender; write its IPv4 address, as in 192.0.2.1`,
    );
  }
  if (before.length >= MAX_SOURCES) {
    throw new OutOfRangeError(`--source was given more than ${MAX_SOURCES} times; leave some out, or all of them`);
  }
  return [...before, text];
}
