import { openBlind } from '../../apdu/decode-module/packets/blind-blocks.ts';
import { MAX_PACKETS } from '../../apdu/decode-module/packets/card-part.ts';
import { CEILINGS } from '../../apdu/layout/keys.ts';
import { BLIND_HEADER, CARD_HEADER, CARD_TAG, GROUP_KEY } from '../../apdu/layout/packets.ts';
import { KIND, MESSAGE_VERSION } from '../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../apdu/decode-module/module-status.ts';
import { readUint } from '../../apdu/octets.ts';
import type { ContentKey } from './keys/keys.ts';
import type { PersistentState } from './memory/persistent-state.ts';
import { debit, debitBlind } from './money/purse.ts';
import { tagFits } from './tag.ts';
import { StreamMark, type TransientState } from './memory/transient-state.ts';

const AT = CARD_HEADER.at;
const MIN_LENGTH = CARD_HEADER.length + 16 + CARD_TAG;
const PACKETS = 0x7ff;
/** Flags but the highest, *detached*. */
const RESERVED_FLAGS = 0x7800;

/** Lengths of its data. */
export const BLIND_LENGTHS: readonly number[] = Array.from(
  { length: 15 },
  (_, i) => BLIND_HEADER.length + 16 * (i + 1),
);

/** DECODE; `firmware-notes/protocol.md` 6. @returns the plaintext, or the status word that refuses the card part. */
export function decode(persistent: PersistentState, transient: TransientState, part: Uint8Array): Uint8Array | number {
  // Step 1.
  if (part.length < MIN_LENGTH) return STATUS.CRYPTO;
  const key = contentKey(transient, u32(part, AT.contentKeyId));
  if (key === undefined) return STATUS.UNKNOWN_KEY;
  if (key.kind !== KIND.content) return STATUS.BLIND_MISMATCH;
  // Step 2.
  const kind = part[AT.kind]!;
  const second = part[AT.versionAndBlocks]!;
  if (
    (kind !== KIND.sealed && kind !== KIND.open) ||
    second >>> 5 !== MESSAGE_VERSION ||
    part.length !== CARD_HEADER.length + 16 * (second & 31) + CARD_TAG ||
    !tagFits(key.ciphers.mac, part, CARD_TAG)
  ) {
    return STATUS.CRYPTO;
  }
  // Step 3.
  const flags = readUint(part, AT.flagsAndPackets, 2);
  const packets = flags & PACKETS;
  if ((flags & RESERVED_FLAGS) !== 0 || packets < 1 || packets > MAX_PACKETS) return STATUS.BAD_FIELD;
  const { session } = transient;
  if (session === undefined || session.service !== key.service) return STATUS.NOT_NOW;
  // Step 4.
  const ssrc = u32(part, AT.ssrc);
  if (ssrc !== key.firstSsrc && ssrc !== key.secondSsrc) return STATUS.FOREIGN_STREAM;
  const mediaTime = u32(part, AT.mediaTime);
  if (mediaTime < key.from || mediaTime >= key.to) return STATUS.OUTSIDE_VALIDITY;
  // Step 5.
  const group = u32(part, AT.group);
  const mark = transient.marks.find((held) => held.group !== 0 && held.ssrc === ssrc);
  if (mark?.group === group && mark.opened) return plaintext(key, part, kind);
  if (group <= (mark?.group ?? 0)) return STATUS.OLD_GROUP;
  // Step 6.
  const octets = readUint(part, AT.octets, 3);
  const duration = readUint(part, AT.duration, 3);
  const { ceilings } = key.purchase;
  if (octets > CEILINGS.readUint(ceilings, 'groupOctets') || duration > CEILINGS.readUint(ceilings, 'groupDuration')) {
    return STATUS.ABOVE_CEILING;
  }
  // Step 7.
  const status = debit(persistent, transient, session, key, { octets, duration, mediaTime });
  if (status !== STATUS.DONE) return status;
  const moved = mark ?? newMark(transient, ssrc);
  moved.group = group;
  moved.opened = true;
  if (mediaTime > transient.highestMediaTime) transient.highestMediaTime = mediaTime;
  // Step 8.
  return plaintext(key, part, kind);
}

/** DECODE of blocks that stand alone; `firmware-notes/protocol.md` 6.1. @param data of a length in {@link BLIND_LENGTHS}. */
export function decodeBlind(
  persistent: PersistentState,
  transient: TransientState,
  data: Uint8Array,
): Uint8Array | number {
  const packet = BLIND_HEADER.read(data);
  const { keyId, ssrc } = packet;
  const key = contentKey(transient, keyId);
  if (key === undefined) return STATUS.UNKNOWN_KEY;
  if (key.kind !== KIND.blind) return STATUS.BLIND_MISMATCH;
  const { session } = transient;
  if (session === undefined || session.service !== key.service) return STATUS.NOT_NOW;
  if (ssrc !== key.firstSsrc && ssrc !== key.secondSsrc) return STATUS.FOREIGN_STREAM;
  const blocks = data.subarray(BLIND_HEADER.length);
  const status = debitBlind(persistent, transient, session, key, blocks.length);
  if (status !== STATUS.DONE) return status;
  return openBlind(key.ciphers.encryption, packet, blocks);
}

/** Of two with one id the first of the open session's service, else the first. */
function contentKey(transient: TransientState, id: number): ContentKey | undefined {
  const [first, second] = transient.contents;
  if (first?.id !== id) return second?.id === id ? second : undefined;
  if (second?.id !== id) return first;
  const service = transient.session?.service;
  return first.service !== service && second.service === service ? second : first;
}

/** Takes the place of the stream first seen longest ago. */
function newMark(transient: TransientState, ssrc: number): StreamMark {
  const mark = new StreamMark(ssrc, 0);
  transient.marks.shift();
  transient.marks.push(mark);
  return mark;
}

function plaintext(key: ContentKey, part: Uint8Array, kind: number): Uint8Array {
  const span = key.ciphers.encryption.decrypt(part.subarray(CARD_HEADER.length, part.length - CARD_TAG));
  return kind === KIND.sealed ? span : span.subarray(GROUP_KEY);
}

function u32(octets: Uint8Array, at: number): number {
  return ((octets[at]! << 24) | (octets[at + 1]! << 16) | (octets[at + 2]! << 8) | octets[at + 3]!) >>> 0;
}
