import { FormatError, OutOfRangeError } from '../../errors.ts';
import type { Values } from '../../layout/field-table.ts';
import { CARD_HEADER, CARD_TAG, SENT_HEADER } from '../../layout/packets.ts';
import { concat, u32 } from '../../octets.ts';
import { type CbcCipher, makeAesCbc } from '../keys/aes-cbc.ts';
import { KIND, MESSAGE_VERSION } from '../kinds.ts';
import type { WorkingKeys } from '../working-keys.ts';

/** Whether the rest of a group is sealed under a key that the card gives out, or stays in the clear. */
export type Mode = 'sealed' | 'open';

type Fields = Values<typeof CARD_HEADER>;

/** The header that the card acts on; `firmware-notes/protocol.md` 5.1. */
export interface CardHeader extends Omit<Fields, 'versionAndBlocks' | 'flagsAndPackets'> {
  readonly mode: Mode;
  /** 16-octet blocks of the span, 1 to 31. */
  readonly spanBlocks: number;
  /** Packets of the group, 1 to 2,000. */
  readonly packets: number;
  /** The card part comes by itself, not in the packet that it is for. */
  readonly detached?: boolean;
}

/** Bits of the field with flags and packets. */
const DETACHED = 0x8000;
const PACKETS = 0x7ff;
/** Packets of a group; protocol 5.1. */
export const MAX_PACKETS = 2000;
const BLOCK = 16;
/** Bits of the field with version and blocks. */
const BLOCKS = 31;
const VERSION_SHIFT = 5;

/** The working keys of a content key, schedules made once. */
export interface ContentCiphers {
  readonly encryption: CbcCipher;
  readonly mac: CbcCipher;
}

/** Makes the key schedules of a content key's working keys. */
export function makeContentCiphers(pair: WorkingKeys, makeCipher = makeAesCbc): ContentCiphers {
  return { encryption: makeCipher(pair.encryption), mac: makeCipher(pair.mac) };
}

/**
 * Makes a whole card part, as DECODE takes it.
 * @param span plaintext, `16 * spanBlocks` octets: 16 random ones, then content.
 * @throws OutOfRangeError when span and header do not agree.
 */
export function sealCardPart(header: CardHeader, span: Uint8Array, ciphers: ContentCiphers): Uint8Array {
  const { mode, spanBlocks, packets, detached, ...fields } = header;
  if (spanBlocks < 1 || spanBlocks > BLOCKS || span.length !== BLOCK * spanBlocks) {
    throw new OutOfRangeError(`a span has 16 to 496 octets in blocks of 16, not ${span.length}`);
  }
  if (packets < 1 || packets > MAX_PACKETS) {
    throw new OutOfRangeError(`a group has 1 to 2,000 packets, not ${packets}`);
  }
  const part = new Uint8Array(CARD_HEADER.length + span.length + CARD_TAG);
  CARD_HEADER.write(part, {
    ...fields,
    versionAndBlocks: (MESSAGE_VERSION << VERSION_SHIFT) | spanBlocks,
    flagsAndPackets: (detached === true ? DETACHED : 0) | packets,
  });
  CARD_HEADER.writeUint(part, 'kind', KIND[mode]);
  const tagAt = CARD_HEADER.length + span.length;
  ciphers.encryption.encrypt(span, part.subarray(CARD_HEADER.length, tagAt));
  part.set(ciphers.mac.mac(part.subarray(0, tagAt)).subarray(0, CARD_TAG), tagAt);
  return part;
}

/** Makes of a whole card part what stands in a packet: SSRC and group number are left out. */
export function shortenCardPart(part: Uint8Array): Uint8Array {
  return concat(part.subarray(0, SENT_HEADER), part.subarray(CARD_HEADER.length));
}

/**
 * Reads how long the card part at the start of a packet's payload is, as its own header says.
 * @param payload RTP payload of a card packet.
 * @throws FormatError when it does not begin with a card part of this version, or is cut short.
 */
export function readCardPartLength(payload: Uint8Array): number {
  const blocks = spanBlocksOf(payload);
  const length = SENT_HEADER + BLOCK * blocks + CARD_TAG;
  if (blocks === 0 || payload.length < length) {
    throw new FormatError('this payload does not begin with a card part of version 1; drop the packet');
  }
  return length;
}

/** Blocks of the span as the header says; 0 when kind or version is not that of a card part. */
function spanBlocksOf(part: Uint8Array): number {
  const kind = CARD_HEADER.readUint(part, 'kind');
  const second = CARD_HEADER.readUint(part, 'versionAndBlocks');
  const known = (kind === KIND.sealed || kind === KIND.open) && second >>> VERSION_SHIFT === MESSAGE_VERSION;
  return known ? second & BLOCKS : 0;
}

/** Puts SSRC and group number back: the data of DECODE. */
export function completeCardPart(sent: Uint8Array, ssrc: number, group: number): Uint8Array {
  return concat(sent.subarray(0, SENT_HEADER), u32(ssrc), u32(group), sent.subarray(SENT_HEADER));
}

/**
 * Reads the header of a whole card part; nothing of it is authenticated before the card has answered.
 * @throws FormatError when it is not a whole card part.
 */
export function parseCardHeader(part: Uint8Array): CardHeader {
  const spanBlocks = spanBlocksOf(part);
  if (spanBlocks === 0 || part.length !== CARD_HEADER.length + BLOCK * spanBlocks + CARD_TAG) {
    throw new FormatError('these octets are not a card part of version 1; drop them');
  }
  const flagsAndPackets = CARD_HEADER.readUint(part, 'flagsAndPackets');
  // Field by field: to take a record apart and put it together costs a host more than all else about a group's header.
  const header: CardHeader = {
    mode: CARD_HEADER.readUint(part, 'kind') === KIND.sealed ? 'sealed' : 'open',
    spanBlocks,
    packets: flagsAndPackets & PACKETS,
    octets: CARD_HEADER.readUint(part, 'octets'),
    duration: CARD_HEADER.readUint(part, 'duration'),
    mediaTime: CARD_HEADER.readUint(part, 'mediaTime'),
    contentKeyId: CARD_HEADER.readUint(part, 'contentKeyId'),
    index: CARD_HEADER.readUint(part, 'index'),
    ssrc: CARD_HEADER.readUint(part, 'ssrc'),
    group: CARD_HEADER.readUint(part, 'group'),
  };
  return (flagsAndPackets & DETACHED) === 0 ? header : { ...header, detached: true };
}
