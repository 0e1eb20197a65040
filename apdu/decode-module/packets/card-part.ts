import { FormatError, OutOfRangeError } from '../../errors.ts';
import { readUint, writeUint } from '../../octets.ts';
import { AesCbc } from '../keys/aes-cbc.ts';
import type { WorkingKeys } from '../working-keys.ts';
import { KIND, MESSAGE_VERSION } from '../kinds.ts';

/** Whether the rest of a group is sealed under a key that the card gives out, or stays as it was. */
export type Mode = 'sealed' | 'open';

/** The header that the card acts on; `firmware-notes/protocol.md` 5.1. */
export interface CardHeader {
  readonly mode: Mode;
  /** 16-octet blocks of the span, 1 to 31. */
  readonly spanBlocks: number;
  /** Packets of the group, 1 to 1,024. */
  readonly packets: number;
  /** RTP payload octets of the whole group before sealing, u24. */
  readonly octets: number;
  /** ms, u24. */
  readonly duration: number;
  /** Seconds since 1970, u32. */
  readonly mediaTime: number;
  readonly contentKeyId: number;
  /** ROC and sequence number of the card packet, u48. */
  readonly index: number;
  readonly ssrc: number;
  /** 1 to 2^31 - 1. */
  readonly group: number;
  /** The card part comes by itself, not in the packet that it is for. */
  readonly detached?: boolean;
}

/** In the field of the packets. */
const DETACHED = 0x8000;

/** Octets of the header as it travels; SSRC and group number are in the RTP header and the MKI. */
const SENT_HEADER = 24;
/** Octets of the header as the card takes it. */
export const CARD_HEADER = 32;
export const CARD_TAG = 8;
/** Random octets that open every span; in mode sealed the group key. */
export const GROUP_KEY = 16;

/** The working keys of a content key, schedules made once. */
export interface ContentCiphers {
  readonly encryption: AesCbc;
  readonly mac: AesCbc;
}

export function contentCiphers(pair: WorkingKeys): ContentCiphers {
  return { encryption: new AesCbc(pair.encryption), mac: new AesCbc(pair.mac) };
}

/**
 * Makes a whole card part, as DECODE takes it.
 * @param span plaintext, `16 * spanBlocks` octets: 16 random ones, then content.
 * @throws OutOfRangeError when span and header do not agree.
 */
export function sealCardPart(header: CardHeader, span: Uint8Array, ciphers: ContentCiphers): Uint8Array {
  if (header.spanBlocks < 1 || header.spanBlocks > 31 || span.length !== 16 * header.spanBlocks) {
    throw new OutOfRangeError(`a span has 16 to 496 octets in blocks of 16, not ${span.length}`);
  }
  if (header.packets < 1 || header.packets > 1024) {
    throw new OutOfRangeError(`a group has 1 to 1,024 packets, not ${header.packets}`);
  }
  const part = new Uint8Array(CARD_HEADER + span.length + CARD_TAG);
  part[0] = KIND[header.mode];
  part[1] = (MESSAGE_VERSION << 5) | header.spanBlocks;
  writeUint(part, 2, 2, (header.detached === true ? DETACHED : 0) | header.packets);
  writeUint(part, 4, 3, header.octets);
  writeUint(part, 7, 3, header.duration);
  writeUint(part, 10, 4, header.mediaTime);
  writeUint(part, 14, 4, header.contentKeyId);
  writeUint(part, 18, 6, header.index);
  writeUint(part, 24, 4, header.ssrc);
  writeUint(part, 28, 4, header.group);
  const tagAt = CARD_HEADER + span.length;
  ciphers.encryption.encrypt(span, part.subarray(CARD_HEADER, tagAt));
  part.set(ciphers.mac.mac(part.subarray(0, tagAt)).subarray(0, CARD_TAG), tagAt);
  return part;
}

/** A card part as it stands in a packet: SSRC and group number left out. */
export function sentCardPart(part: Uint8Array): Uint8Array {
  const sent = new Uint8Array(part.length - (CARD_HEADER - SENT_HEADER));
  sent.set(part.subarray(0, SENT_HEADER));
  sent.set(part.subarray(CARD_HEADER), SENT_HEADER);
  return sent;
}

/**
 * Length of the card part at the start of a packet's payload, as its own header says.
 * @param payload RTP payload of a card packet.
 * @throws FormatError when it does not begin with a card part of this version, or is cut short.
 */
export function sentCardPartLength(payload: Uint8Array): number {
  const kind = payload[0];
  const second = payload[1] ?? 0;
  const length = SENT_HEADER + 16 * (second & 31) + CARD_TAG;
  if (
    (kind !== KIND.sealed && kind !== KIND.open) ||
    second >>> 5 !== MESSAGE_VERSION ||
    (second & 31) === 0 ||
    payload.length < length
  ) {
    throw new FormatError('this payload does not begin with a card part of version 1');
  }
  return length;
}

/** Puts SSRC and group number back: the data of DECODE. */
export function wholeCardPart(sent: Uint8Array, ssrc: number, group: number): Uint8Array {
  const part = new Uint8Array(sent.length + CARD_HEADER - SENT_HEADER);
  part.set(sent.subarray(0, SENT_HEADER));
  writeUint(part, 24, 4, ssrc);
  writeUint(part, 28, 4, group);
  part.set(sent.subarray(SENT_HEADER), CARD_HEADER);
  return part;
}

/**
 * Reads the header of a whole card part; nothing of it is authenticated before the card has answered.
 * @throws FormatError when it is none.
 */
export function parseCardHeader(part: Uint8Array): CardHeader {
  const kind = part[0];
  const second = part[1] ?? 0;
  if (
    (kind !== KIND.sealed && kind !== KIND.open) ||
    second >>> 5 !== MESSAGE_VERSION ||
    part.length !== CARD_HEADER + 16 * (second & 31) + CARD_TAG
  ) {
    throw new FormatError('these octets are not a card part of version 1');
  }
  return {
    mode: kind === KIND.sealed ? 'sealed' : 'open',
    spanBlocks: second & 31,
    packets: readUint(part, 2, 2) & 0x7ff,
    ...((readUint(part, 2, 2) & DETACHED) === 0 ? {} : { detached: true }),
    octets: readUint(part, 4, 3),
    duration: readUint(part, 7, 3),
    mediaTime: readUint(part, 10, 4),
    contentKeyId: readUint(part, 14, 4),
    index: readUint(part, 18, 6),
    ssrc: readUint(part, 24, 4),
    group: readUint(part, 28, 4),
  };
}
