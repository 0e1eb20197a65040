import { FormatError, OutOfRangeError } from '../../errors.ts';
import { concat, equalTags, readUint, writeUint } from '../../octets.ts';
import { isKeyKind, isParentKind, keyBodyLength, type KeyMessage } from './key-message.ts';
import { isPairKind, isPersonal, KIND, MESSAGE_VERSION } from '../kinds.ts';

/** Kind, version and length of a section. */
const SECTION_HEADER = 4;
/** What all its messages have in common before the parent id. */
const COMMON_HEADER = 28;
/** Parent id and wrapped key; the tag follows at the message's end. */
const NAMED_KEY = 20;
const BODY_AT = COMMON_HEADER + NAMED_KEY;
const TAG = 8;
const ENTRY = NAMED_KEY + TAG;
/** UDP payload of the key port. */
const MOST_OCTETS = 1400;

/**
 * Key messages that differ in nothing but parent id, wrapped key and tag, as one section; `firmware-notes/protocol.md` 4.8.
 * @param messages at least one, none under a unique key or a key pair.
 * @throws OutOfRangeError when they differ in more, or the section would pass 1,400 octets.
 */
export function combine(messages: readonly KeyMessage[]): Uint8Array {
  const [first] = messages;
  if (first === undefined || isPersonal(first.parentKind) || isPairKind(first.parentKind)) {
    throw new OutOfRangeError('a section has at least one message, and none of a single card or under a key pair');
  }
  const head = first.octets.subarray(0, COMMON_HEADER);
  const entries = messages.map(({ octets, body }) => {
    if (!equalTags(octets.subarray(0, COMMON_HEADER), head) || !equalTags(body, first.body)) {
      throw new OutOfRangeError('messages of one section have one header and one body; make a section of each kind');
    }
    return concat(octets.subarray(COMMON_HEADER, BODY_AT), octets.subarray(octets.length - TAG));
  });
  const section = concat(new Uint8Array(SECTION_HEADER), head, first.body, ...entries);
  if (section.length > MOST_OCTETS) {
    throw new OutOfRangeError(`a section has at most ${MOST_OCTETS} octets, not ${section.length}; split it`);
  }
  section[0] = KIND.combinedSection;
  section[1] = MESSAGE_VERSION;
  writeUint(section, 2, 2, section.length);
  return section;
}

/**
 * The messages of a section, each as LOAD KEY takes it; nothing of it is authenticated, only the card can tell.
 * @param octets begins with a section; what follows it is left alone.
 * @throws FormatError when it is none, or cut short.
 */
export function separate(octets: Uint8Array): Uint8Array[] {
  const length = readUint(octets, 2, 2);
  const kind = octets[SECTION_HEADER];
  const parentKind = octets[SECTION_HEADER + 24];
  if (
    octets[0] !== KIND.combinedSection ||
    octets[1] !== MESSAGE_VERSION ||
    length > Math.min(octets.length, MOST_OCTETS) ||
    !isKeyKind(kind) ||
    kind === KIND.seeds ||
    kind === KIND.servicePair ||
    !isParentKind(parentKind) ||
    isPersonal(parentKind) ||
    isPairKind(parentKind)
  ) {
    throw new FormatError('these octets do not begin with a combined section of version 1');
  }
  const bodyAt = SECTION_HEADER + COMMON_HEADER;
  const entriesAt = bodyAt + keyBodyLength(kind, parentKind);
  const count = (length - entriesAt) / ENTRY;
  if (!Number.isInteger(count) || count < 1)
    throw new FormatError('a combined section has whole entries, at least one');
  const head = octets.subarray(SECTION_HEADER, bodyAt);
  const body = octets.subarray(bodyAt, entriesAt);
  return Array.from({ length: count }, (_, i) => {
    const entry = octets.subarray(entriesAt + i * ENTRY, entriesAt + (i + 1) * ENTRY);
    return concat(head, entry.subarray(0, NAMED_KEY), body, entry.subarray(NAMED_KEY));
  });
}
