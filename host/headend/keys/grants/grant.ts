import { decodeCardId } from '../../../../apdu/decode-module/card-id.ts';
import type { CbcFactory } from '../../../../apdu/decode-module/keys/aes-cbc.ts';
import { type Ceilings, encodeCeilings } from '../../../../apdu/decode-module/keys/ceilings.ts';
import { type KeyMessage, sealKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import type { Tariff } from '../../../../apdu/decode-module/money/tariff.ts';

/** A key that a card buys, and what a purchase of it allows. */
export interface Purchase {
  /** A service key when left out; a segment key that is bought by itself, or the private half of a service's pair. */
  readonly kind?: typeof KIND.service | typeof KIND.segment | typeof KIND.servicePair;
  readonly service: number;
  readonly keyId: number;
  /** 16 octets; a private half has 32. */
  readonly key: Uint8Array;
  /** Media time [from, to). */
  readonly from: number;
  readonly to: number;
  /** u32, one more than that of the card's last grant, of whatever service. */
  readonly number: number;
  readonly ceilings: Ceilings;
}

/** The most that one group of a stream can come to, in octets of payload and ms. */
export type GroupLimits = Pick<Ceilings, 'groupOctets' | 'groupDuration'>;

/**
 * Seals a purchase for one card.
 * @param cardId 8 octets.
 * @param downlinkKey of this card, 16 octets.
 * @throws FormatError when the card id is not one.
 * @throws OutOfRangeError when a ceiling does not fit.
 */
export function sealGrant(
  purchase: Purchase,
  cardId: Uint8Array,
  downlinkKey: Uint8Array,
  makeCipher?: CbcFactory,
): KeyMessage {
  const { kind = KIND.service, service, keyId, key, from, to, number, ceilings } = purchase;
  const parentId = decodeCardId(cardId).serial;
  return sealKeyMessage(
    { kind, service, keyId, from, to, number, parentKind: KIND.unique, parentId },
    key,
    encodeCeilings(ceilings),
    downlinkKey,
    makeCipher,
  );
}

/**
 * The lowest ceilings under which a stream plays.
 * @param quantum micro-units.
 */
export function deriveCeilings(tariff: Tariff, limits: GroupLimits, quantum: bigint): Ceilings {
  const ceiling = (kind: Tariff['kind']) => (tariff.kind === kind ? tariff.price : 0n);
  return {
    perMegabyte: ceiling('octets'),
    perHour: ceiling('duration'),
    flat: ceiling('flat'),
    ...limits,
    quantum,
  };
}
