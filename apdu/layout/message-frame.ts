import { layout } from './field-table.ts';
import { framing, opaque, u16, u8 } from './field.ts';

/** What every message begins with, so that none is the prefix of another; `firmware-notes/protocol.md` 1.1. */
export const FRAME = {
  kind: framing(u8()),
  version: framing(u8()),
  /** Of the whole message with its tag. */
  length: framing(u16()),
};

export const MESSAGE_FRAME = layout('message frame', FRAME);

/** The tag that ends what a card signs, and what an issuer signs for a card. */
export const TAG = framing(opaque(16));
