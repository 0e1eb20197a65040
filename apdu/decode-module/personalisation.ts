import { FormatError, OutOfRangeError } from '../errors.ts';
import { concat, readUint, writeUint } from '../octets.ts';
import { CARD_ID_LENGTH } from './card-id.ts';
import { CARD_KEY_LENGTH, type CardKeyName } from './keys/card-keys.ts';
import { MOST_MONEY } from './keys/ceilings.ts';
import { readAmount, writeAmount } from './requests/signed-message.ts';

/** Data groups of STORE DATA; `firmware-notes/protocol.md` 3. */
export const DGI = {
  profile: 0x0001,
  limits: 0x0002,
  verificationKey: 0x0003,
  /** The head-end's static point of P-256, 65 octets. */
  headEnd: 0x0004,
  keys: 0x8001,
  pin: 0x8002,
} as const;

export const PROFILE_LENGTH = 24;
export const KEYS_LENGTH = 96;

/** DGI 0001: who a card is and how much it may hold. */
export interface CardProfile {
  /** 8 octets. */
  readonly cardId: Uint8Array;
  /** ISO 4217 number. */
  readonly currency: number;
  /** Most that loaded - spent may come to, micro-units, at most 2^39 - 1. */
  readonly maximumBalance: bigint;
  /** Amount of unacknowledged receipts from which on the card starts no new session, micro-units. */
  readonly mostUnacknowledged: bigint;
}

/** DGI 8001: the keys of one card, 16 octets each. */
export type CardKeySet = Readonly<Record<CardKeyName, Uint8Array>>;

/** In the order of the value of DGI 8001. */
const KEY_ORDER: readonly CardKeyName[] = ['downlink', 'uplink', 'receipt', 'acknowledgement', 'load-in', 'load-out'];

/** @throws OutOfRangeError naming the field and its range. */
export function encodeCardProfile(profile: CardProfile): Uint8Array {
  if (profile.cardId.length !== CARD_ID_LENGTH) throw new OutOfRangeError('a card id has 8 octets');
  if (!Number.isInteger(profile.currency) || profile.currency < 0 || profile.currency > 0xffff) {
    throw new OutOfRangeError(`currency ${profile.currency} is no ISO 4217 number; it must lie within 0 and 65535`);
  }
  if (profile.maximumBalance > MOST_MONEY) {
    throw new OutOfRangeError(
      `the maximum balance is ${profile.maximumBalance}; it must lie within 0 and ${MOST_MONEY}`,
    );
  }
  const value = new Uint8Array(PROFILE_LENGTH);
  value.set(profile.cardId);
  writeUint(value, 8, 2, profile.currency);
  writeAmount(value, 10, profile.maximumBalance, 'the maximum balance');
  writeAmount(value, 16, profile.mostUnacknowledged, 'the most unacknowledged amount');
  return value;
}

/** @throws FormatError when it is not 24 octets. */
export function decodeCardProfile(value: Uint8Array): CardProfile {
  if (value.length !== PROFILE_LENGTH) throw new FormatError(`a card profile has ${PROFILE_LENGTH} octets`);
  return {
    cardId: value.slice(0, CARD_ID_LENGTH),
    currency: readUint(value, 8, 2),
    maximumBalance: readAmount(value, 10),
    mostUnacknowledged: readAmount(value, 16),
  };
}

/** @throws OutOfRangeError when a key is not 16 octets. */
export function encodeCardKeys(keys: CardKeySet): Uint8Array {
  return concat(
    ...KEY_ORDER.map((name) => {
      if (keys[name].length !== CARD_KEY_LENGTH) throw new OutOfRangeError(`the ${name} key must have 16 octets`);
      return keys[name];
    }),
  );
}

/** One of the keys in the value of DGI 8001; a view. */
export function cardKeyIn(value: Uint8Array, name: CardKeyName): Uint8Array {
  const at = KEY_ORDER.indexOf(name) * CARD_KEY_LENGTH;
  return value.subarray(at, at + CARD_KEY_LENGTH);
}
