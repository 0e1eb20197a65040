import { layout } from './field-table.ts';
import { framing, u16, u24, u32, u48, u8 } from './field.ts';

/** The header that the card acts on; `firmware-notes/protocol.md` 5.1. */
export const CARD_HEADER = layout('card header', {
  kind: framing(u8()),
  /** Version in bits 7 to 5, blocks of the span in bits 4 to 0. */
  versionAndBlocks: u8(),
  /** Bit 15: detached. Bits 10 to 0: packets of the group. */
  flagsAndPackets: u16(),
  /** RTP payload octets of the whole group before sealing. */
  octets: u24(),
  /** ms. */
  duration: u24(),
  /** Seconds since 1970. */
  mediaTime: u32(),
  contentKeyId: u32(),
  /** ROC and sequence number of the card packet. */
  index: u48(),
  ssrc: u32(),
  /** 1 to 2^31 - 1. */
  group: u32(),
});

/** What stands before the blocks of a blind DECODE; `firmware-notes/protocol.md` 6.1. */
export const BLIND_HEADER = layout('blind header', {
  keyId: u32(),
  ssrc: u32(),
  /** Never comes twice under one key and SSRC: the packet's index, or its place in the file. */
  number: u32(),
});

/** Octets of a card part's tag. */
export const CARD_TAG = 8;
/** Random octets that open every span; in mode sealed the group key. */
export const GROUP_KEY = 16;
/** Octets of the header as it travels: SSRC and group number are in the RTP header and the MKI. */
export const SENT_HEADER = CARD_HEADER.at.ssrc;
