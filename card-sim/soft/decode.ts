import { KIND, MESSAGE_VERSION } from '../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../apdu/decode-module/module-status.ts';
import { openBlind } from '../../apdu/decode-module/packets/blind-blocks.ts';
import { MAX_PACKETS } from '../../apdu/decode-module/packets/card-part.ts';
import { CEILINGS } from '../../apdu/layout/keys.ts';
import { BLIND_HEADER, CARD_HEADER, CARD_TAG, GROUP_KEY } from '../../apdu/layout/packets.ts';
import { readUint } from '../../apdu/octets.ts';
import type { ContentKey, Purchase } from './keys/keys.ts';
import type { PersistentState } from './memory/persistent-state.ts';
import { type Session, StreamMark, type TransientState } from './memory/transient-state.ts';
import { debitBlind, debitGroup } from './money/debit.ts';
import { refuse } from './refusal.ts';
import { isTagRight } from './tag.ts';

const AT = CARD_HEADER.at;
const MIN_LENGTH = CARD_HEADER.length + 16 + CARD_TAG;
const PACKETS = 0x7ff;
/** All flags but the highest, which says that the part travelled detached. */
const RESERVED_FLAGS = 0x7800;

/** Lengths that the data of a blind DECODE may have. */
export const BLIND_LENGTHS: readonly number[] = Array.from(
  { length: 15 },
  (_, i) => BLIND_HEADER.length + 16 * (i + 1),
);

/**
 * DECODE (protocol 6).
 * @param part card part as it came, of any length.
 * @returns the plaintext.
 * @throws Refusal
 */
export function decode(persistent: PersistentState, transient: TransientState, part: Uint8Array): Uint8Array {
  // Step 1.
  if (part.length < MIN_LENGTH) refuse(STATUS.CRYPTO);
  const key = findContentKey(transient, u32(part, AT.contentKeyId));
  if (key === undefined) refuse(STATUS.UNKNOWN_KEY);
  if (key.kind !== KIND.content) refuse(STATUS.BLIND_MISMATCH);
  // Step 2.
  if (!isAuthentic(key, part)) refuse(STATUS.CRYPTO);
  // Step 3.
  const flags = readUint(part, AT.flagsAndPackets, 2);
  const packets = flags & PACKETS;
  if ((flags & RESERVED_FLAGS) !== 0 || packets < 1 || packets > MAX_PACKETS) refuse(STATUS.BAD_FIELD);
  const session = requireSession(transient, key);
  // Step 4.
  const ssrc = u32(part, AT.ssrc);
  requireStream(key, ssrc);
  const mediaTime = u32(part, AT.mediaTime);
  if (mediaTime < key.from || mediaTime >= key.to) refuse(STATUS.OUTSIDE_VALIDITY);
  // Step 5.
  const group = u32(part, AT.group);
  const mark = transient.marks.find((held) => held.group !== 0 && held.ssrc === ssrc);
  if (mark?.group === group && mark.opened) return decryptSpan(key, part);
  if (group <= (mark?.group ?? 0)) refuse(STATUS.OLD_GROUP);
  // Step 6.
  const octets = readUint(part, AT.octets, 3);
  const duration = readUint(part, AT.duration, 3);
  if (exceedsGroupCeilings(key.purchase, octets, duration)) refuse(STATUS.ABOVE_CEILING);
  // Step 7.
  debitGroup(persistent, transient, session, key, { octets, duration, mediaTime });
  const moved = mark ?? addMark(transient, ssrc);
  moved.group = group;
  moved.opened = true;
  if (mediaTime > transient.highestMediaTime) transient.highestMediaTime = mediaTime;
  // Step 8.
  return decryptSpan(key, part);
}

/**
 * DECODE of blocks that stand alone (protocol 6.1).
 * @param data of a length in {@link BLIND_LENGTHS}.
 * @returns the plaintext.
 * @throws Refusal
 */
export function decodeBlind(persistent: PersistentState, transient: TransientState, data: Uint8Array): Uint8Array {
  const packet = BLIND_HEADER.read(data);
  const key = findContentKey(transient, packet.keyId);
  if (key === undefined) refuse(STATUS.UNKNOWN_KEY);
  if (key.kind !== KIND.blind) refuse(STATUS.BLIND_MISMATCH);
  const session = requireSession(transient, key);
  requireStream(key, packet.ssrc);
  const blocks = data.subarray(BLIND_HEADER.length);
  debitBlind(persistent, transient, session, key, blocks.length);
  return openBlind(key.ciphers.encryption, packet, blocks);
}

/** If two keys have one id, prefers the one of the open session's service, else the first by place (step 1). */
function findContentKey(transient: TransientState, id: number): ContentKey | undefined {
  const [first, second] = transient.contents;
  if (first?.id !== id) return second?.id === id ? second : undefined;
  if (second?.id !== id) return first;
  const service = transient.session?.service;
  return first.service !== service && second.service === service ? second : first;
}

/** Whether mode, version, length and tag of a card part are right (step 2). */
function isAuthentic(key: ContentKey, part: Uint8Array): boolean {
  const kind = part[AT.kind]!;
  const versionAndBlocks = part[AT.versionAndBlocks]!;
  return (
    (kind === KIND.sealed || kind === KIND.open) &&
    versionAndBlocks >>> 5 === MESSAGE_VERSION &&
    part.length === CARD_HEADER.length + 16 * (versionAndBlocks & 31) + CARD_TAG &&
    isTagRight(key.ciphers.mac, part, CARD_TAG)
  );
}

/** @throws Refusal 6985 when no session is open for the service of the key. */
function requireSession({ session }: TransientState, key: ContentKey): Session {
  return session?.service === key.service ? session : refuse(STATUS.NOT_NOW);
}

/** @throws Refusal 940C when the stream is not one of the key's. */
function requireStream(key: ContentKey, ssrc: number): void {
  if (ssrc !== key.firstSsrc && ssrc !== key.secondSsrc) refuse(STATUS.FOREIGN_STREAM);
}

/** Whether a group has more octets or ms than its purchase allows (step 6). */
function exceedsGroupCeilings({ ceilings }: Purchase, octets: number, duration: number): boolean {
  return octets > CEILINGS.readUint(ceilings, 'groupOctets') || duration > CEILINGS.readUint(ceilings, 'groupDuration');
}

/** Makes room for a stream: the one first seen longest ago goes. */
function addMark(transient: TransientState, ssrc: number): StreamMark {
  const mark = new StreamMark(ssrc, 0);
  transient.marks.shift();
  transient.marks.push(mark);
  return mark;
}

/** In mode open without the first block, which is the group key in mode sealed. */
function decryptSpan(key: ContentKey, part: Uint8Array): Uint8Array {
  const span = key.ciphers.encryption.decrypt(part.subarray(CARD_HEADER.length, part.length - CARD_TAG));
  return part[AT.kind] === KIND.sealed ? span : span.subarray(GROUP_KEY);
}

function u32(octets: Uint8Array, at: number): number {
  return ((octets[at]! << 24) | (octets[at + 1]! << 16) | (octets[at + 2]! << 8) | octets[at + 3]!) >>> 0;
}
