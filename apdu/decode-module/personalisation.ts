import { CARD_KEY_VALUE, CARD_PROFILE } from '../layout/card.ts';
import type { Values } from '../layout/field-table.ts';

/** The DGIs of STORE DATA; `firmware-notes/protocol.md` 3. */
export const DGI = {
  profile: 0x0001,
  limits: 0x0002,
  verificationKey: 0x0003,
  /** The head-end's static point of P-256, 65 octets. */
  headEnd: 0x0004,
  keys: 0x8001,
  pin: 0x8002,
} as const;

/** DGI 0001: who a card is and how much it may hold. */
export interface CardProfile extends Values<typeof CARD_PROFILE> {}

/** DGI 8001: the keys of one card, 16 octets each. */
export type CardKeySet = Values<typeof CARD_KEY_VALUE>;

/** @returns 24 octets. @throws OutOfRangeError naming the field and its range. */
export function encodeCardProfile(profile: CardProfile): Uint8Array {
  return CARD_PROFILE.encode(profile);
}

/** @throws FormatError when it is not 24 octets, or a reserved one is not zero. */
export function decodeCardProfile(value: Uint8Array): CardProfile {
  return CARD_PROFILE.decode(value);
}

/** @returns 96 octets. @throws OutOfRangeError when a key is not 16 octets. */
export function encodeCardKeys(keys: CardKeySet): Uint8Array {
  return CARD_KEY_VALUE.encode(keys);
}
