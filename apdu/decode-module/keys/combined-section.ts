import { FormatError, OutOfRangeError } from '../../errors.ts';
import { KEY_MESSAGE_HEADER, SECTION_ENTRY, SECTION_HEADER } from '../../layout/keys.ts';
import { concat, equalTags } from '../../octets.ts';
import { isPairKind, isPersonal, KIND, MESSAGE_VERSION } from '../kinds.ts';
import { writeFrame } from '../signed-message.ts';
import { isKeyKind, isParentKind, keyBodyLength, type KeyMessage } from './key-message.ts';
import { parentNode } from './key-tree.ts';

const COMMON_LENGTH = KEY_MESSAGE_HEADER.at.parentId;
const BODY_AT = COMMON_LENGTH + SECTION_ENTRY.at.tag;
const TAG_LENGTH = SECTION_ENTRY.length - SECTION_ENTRY.at.tag;
/** UDP payload of the key port. */
const MAX_OCTETS = 1400;

/** Where a section of tree nodes leaves out the key id. */
const KEY_ID_AT = KEY_MESSAGE_HEADER.at.keyId;
const KEY_ID_END = KEY_MESSAGE_HEADER.at.from;

/**
 * Joins key messages that differ in nothing but parent id, wrapped key and tag, and tree nodes in the node inside, too;
 * `firmware-notes/protocol.md` 4.8.
 * @param messages at least one; not those under a unique key or a key pair.
 * @throws OutOfRangeError when they differ in more, when a tree node is not the one above its parent, or the section
 *   would pass 1,400 octets.
 */
export function combine(messages: readonly KeyMessage[]): Uint8Array {
  const [first] = messages;
  if (first === undefined || isPersonal(first.parentKind) || isPairKind(first.parentKind)) {
    throw new OutOfRangeError(
      'a section has at least one message; one for a single card or under a key pair travels by itself',
    );
  }
  const head = commonOf(first);
  const entries = messages.map((message) => {
    const { octets, body } = message;
    if (!equalTags(commonOf(message), head) || !equalTags(body, first.body)) {
      throw new OutOfRangeError('messages of one section have one header and one body; make a section of each kind');
    }
    return concat(octets.subarray(COMMON_LENGTH, BODY_AT), octets.subarray(octets.length - TAG_LENGTH));
  });
  const section = concat(new Uint8Array(SECTION_HEADER.at.common), head, first.body, ...entries);
  if (section.length > MAX_OCTETS) {
    throw new OutOfRangeError(`a section has at most ${MAX_OCTETS} octets, not ${section.length}; split it`);
  }
  writeFrame(section, KIND.combinedSection);
  return section;
}

/** Octets 0 to 27 of a message, of a tree node without its key id. @throws OutOfRangeError */
function commonOf({ octets, kind, keyId, parentId }: KeyMessage): Uint8Array {
  const common = octets.slice(0, COMMON_LENGTH);
  if (kind !== KIND.node) return common;
  if (keyId !== parentNode(parentId)) {
    throw new OutOfRangeError(`node ${keyId} is not above node ${parentId}; wrap it under one of its children`);
  }
  return common.fill(0, KEY_ID_AT, KEY_ID_END);
}

/**
 * Takes a section apart into messages as LOAD KEY takes them. Nothing of it is authenticated; only the card can tell.
 * @param octets begins with a section; what follows it is left alone.
 * @param isWanted whether a message is, by the id of its parent; the others are left out before anything is copied.
 * @throws FormatError when it is not a section, or is cut short.
 */
export function separate(octets: Uint8Array, isWanted: (parentId: number) => boolean = () => true): Uint8Array[] {
  const length = SECTION_HEADER.readUint(octets, 'length');
  const common = SECTION_HEADER.view(octets, 'common');
  const kind = KEY_MESSAGE_HEADER.readUint(common, 'kind');
  const parentKind = KEY_MESSAGE_HEADER.readUint(common, 'parentKind');
  if (
    SECTION_HEADER.readUint(octets, 'kind') !== KIND.combinedSection ||
    SECTION_HEADER.readUint(octets, 'version') !== MESSAGE_VERSION ||
    length > Math.min(octets.length, MAX_OCTETS) ||
    !isKeyKind(kind) ||
    kind === KIND.seeds ||
    kind === KIND.servicePair ||
    !isParentKind(parentKind) ||
    isPersonal(parentKind) ||
    isPairKind(parentKind) ||
    (kind === KIND.node && KEY_MESSAGE_HEADER.readUint(common, 'keyId') !== 0)
  ) {
    throw new FormatError('these octets do not begin with a combined section of version 1; drop them');
  }
  const entriesAt = SECTION_HEADER.length + keyBodyLength(kind, parentKind);
  const count = (length - entriesAt) / SECTION_ENTRY.length;
  if (!Number.isInteger(count) || count < 1) {
    throw new FormatError('a combined section has whole entries, at least one; drop it');
  }
  const body = octets.subarray(SECTION_HEADER.length, entriesAt);
  const messages: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const entryAt = entriesAt + i * SECTION_ENTRY.length;
    const parentId = SECTION_ENTRY.readUint(octets, 'parentId', entryAt);
    if (!isWanted(parentId)) continue;
    const tag = SECTION_ENTRY.view(octets, 'tag', entryAt);
    const message = concat(common, octets.subarray(entryAt, entryAt + SECTION_ENTRY.at.tag), body, tag);
    if (kind === KIND.node) KEY_MESSAGE_HEADER.writeUint(message, 'keyId', parentNode(parentId));
    messages.push(message);
  }
  return messages;
}
