import { separate } from '../../../apdu/decode-module/keys/combined-section.ts';
import { type ContentTerms, decodeContentTerms } from '../../../apdu/decode-module/keys/content-terms.ts';
import { type KeyMessage, parseKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { FormatError } from '../../../apdu/errors.ts';
import { MESSAGE_FRAME } from '../../../apdu/layout/message-frame.ts';
import { MAX_DATAGRAM } from '../../stream/packet/rtp-packet.ts';

/** A key message that the key port brought. Only the card can tell whether it is authentic. */
export interface AnnouncedKey {
  readonly message: KeyMessage;
  /** What a content key's message says of its content; undefined for other kinds of key. */
  readonly terms: ContentTerms | undefined;
}

/** Octets of the shortest key message. */
const MIN_MESSAGE = 56;

/**
 * Reads a datagram of the key port, `firmware-notes/protocol.md` 5.3.
 * @returns its messages, copied, in order; undefined for each part that is malformed.
 */
export function* readKeyDatagram(datagram: Uint8Array): Generator<AnnouncedKey | undefined, void, undefined> {
  if (datagram.length > MAX_DATAGRAM) {
    yield undefined;
    return;
  }
  for (let at = 0; at < datagram.length;) {
    const length = MESSAGE_FRAME.readUint(datagram, 'length', at);
    if (MESSAGE_FRAME.readUint(datagram, 'kind', at) === KIND.combinedSection) {
      const section = datagram.subarray(at, at + Math.max(MIN_MESSAGE, length));
      at += section.length;
      yield* readSection(section);
      continue;
    }
    const key = readMessage(datagram.subarray(at));
    yield key;
    // What is malformed may be of a later version. Its length field still leads to the next message.
    if (key === undefined && length < MIN_MESSAGE) return;
    at += length;
  }
}

function readMessage(octets: Uint8Array): AnnouncedKey | undefined {
  try {
    const message = parseKeyMessage(octets);
    return { message, terms: message.kind === KIND.content ? decodeContentTerms(message.body) : undefined };
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

function readSection(section: Uint8Array): readonly (AnnouncedKey | undefined)[] {
  try {
    return separate(section).map(readMessage);
  } catch (error) {
    if (error instanceof FormatError) return [undefined];
    throw error;
  }
}
