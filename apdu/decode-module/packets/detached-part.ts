import { FormatError } from '../../errors.ts';
import { MESSAGE_FRAME } from '../../layout/message-frame.ts';
import { concat } from '../../octets.ts';
import { KIND, MESSAGE_VERSION } from '../kinds.ts';
import { writeFrame } from '../signed-message.ts';
import { parseCardHeader } from './card-part.ts';

/** Makes the message in which a whole card part travels by itself on the key port; `firmware-notes/protocol.md` 5.4. */
export function encodeDetachedPart(part: Uint8Array): Uint8Array {
  const message = concat(new Uint8Array(MESSAGE_FRAME.length), part);
  writeFrame(message, KIND.detachedPart);
  return message;
}

/**
 * The card part in a message of the key port, as DECODE takes it; only the card can tell whether it is authentic.
 * @param octets begins with the message; what follows it is left alone.
 * @throws FormatError when it is not such a message, is cut short, or is not marked as detached.
 */
export function parseDetachedPart(octets: Uint8Array): Uint8Array {
  const length = MESSAGE_FRAME.readUint(octets, 'length');
  if (
    MESSAGE_FRAME.readUint(octets, 'kind') !== KIND.detachedPart ||
    MESSAGE_FRAME.readUint(octets, 'version') !== MESSAGE_VERSION ||
    length > octets.length
  ) {
    throw new FormatError('these octets do not begin with a detached card part of version 1; drop them');
  }
  const part = octets.slice(MESSAGE_FRAME.length, length);
  if (parseCardHeader(part).detached !== true) {
    throw new FormatError('this card part is not marked as detached; drop it');
  }
  return part;
}
