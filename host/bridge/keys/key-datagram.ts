import { separate } from '../../../apdu/decode-module/keys/combined-section.ts';
import { type ContentTerms, decodeContentTerms } from '../../../apdu/decode-module/keys/content-terms.ts';
import { type KeyMessage, parseKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { FormatError } from '../../../apdu/errors.ts';
import { KEY_MESSAGE_HEADER, SECTION_HEADER } from '../../../apdu/layout/keys.ts';
import { MESSAGE_FRAME } from '../../../apdu/layout/message-frame.ts';
import { MAX_DATAGRAM } from '../../stream/packet/rtp-packet.ts';
import type { ParentName } from './held-keys.ts';

/** A key message that the key port brought. Only the card can tell whether it is authentic. */
export interface AnnouncedKey {
  readonly message: KeyMessage;
  /** What a content key's message says of its content; undefined for other kinds of key. */
  readonly terms: ContentTerms | undefined;
}

/** What a message is worth, told from its first octets alone: most are for others, or forged. */
export interface MessageHead extends ParentName {
  readonly kind: number;
}

/** Octets of the shortest key message. */
const MIN_MESSAGE = 56;

/**
 * Reads a datagram of the key port, `firmware-notes/protocol.md` 5.3.
 * @param isWanted whether a message is worth reading; the others are left out before anything is copied.
 * @returns its messages, copied, in order; undefined for each part that is malformed.
 */
export function* readKeyDatagram(
  datagram: Uint8Array,
  isWanted: (head: MessageHead) => boolean = () => true,
): Generator<AnnouncedKey | undefined, void, undefined> {
  if (datagram.length > MAX_DATAGRAM) {
    yield undefined;
    return;
  }
  for (let at = 0; at < datagram.length;) {
    const length = MESSAGE_FRAME.readUint(datagram, 'length', at);
    if (MESSAGE_FRAME.readUint(datagram, 'kind', at) === KIND.combinedSection) {
      const section = datagram.subarray(at, at + Math.max(MIN_MESSAGE, length));
      at += section.length;
      yield* readSection(section, isWanted);
      continue;
    }
    const octets = datagram.subarray(at);
    if (octets.length < MIN_MESSAGE || length < MIN_MESSAGE || isWanted(readHead(octets, 0))) {
      const key = readMessage(octets);
      yield key;
      // What is malformed may be of a later version. Its length field still leads to the next message.
      if (key === undefined && length < MIN_MESSAGE) return;
    }
    at += length;
  }
}

function readHead(octets: Uint8Array, at: number): MessageHead {
  return {
    kind: KEY_MESSAGE_HEADER.readUint(octets, 'kind', at),
    service: KEY_MESSAGE_HEADER.readUint(octets, 'service', at),
    parentKind: KEY_MESSAGE_HEADER.readUint(octets, 'parentKind', at),
    parentId: KEY_MESSAGE_HEADER.readUint(octets, 'parentId', at),
  };
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

function readSection(
  section: Uint8Array,
  isWanted: (head: MessageHead) => boolean,
): readonly (AnnouncedKey | undefined)[] {
  try {
    const head = { ...readHead(section, SECTION_HEADER.at.common) };
    return separate(section, (parentId) => isWanted({ ...head, parentId })).map(readMessage);
  } catch (error) {
    if (error instanceof FormatError) return [undefined];
    throw error;
  }
}
