import { FormatError } from '../../errors.ts';
import { concat, readUint, writeUint } from '../../octets.ts';
import { parseCardHeader } from './card-part.ts';
import { KIND, MESSAGE_VERSION } from '../kinds.ts';

const HEADER = 4;

/** A whole card part as it travels by itself on the key port; `firmware-notes/protocol.md` 5.4. */
export function encodeDetachedPart(part: Uint8Array): Uint8Array {
  const message = concat(new Uint8Array(HEADER), part);
  message[0] = KIND.detachedPart;
  message[1] = MESSAGE_VERSION;
  writeUint(message, 2, 2, message.length);
  return message;
}

/**
 * The card part in a message of the key port, as DECODE takes it; only the card can tell whether it is authentic.
 * @param octets begins with the message; what follows it is left alone.
 * @throws FormatError when it is none, cut short, or not marked as detached.
 */
export function parseDetachedPart(octets: Uint8Array): Uint8Array {
  const length = readUint(octets, 2, 2);
  if (octets[0] !== KIND.detachedPart || octets[1] !== MESSAGE_VERSION || length > octets.length) {
    throw new FormatError('these octets do not begin with a detached card part of version 1');
  }
  const part = octets.slice(HEADER, length);
  if (parseCardHeader(part).detached !== true) throw new FormatError('this card part is not marked as detached');
  return part;
}
