import { decodeCardId } from '../../../apdu/decode-module/card-id.ts';
import { type Ceilings, encodeCeilings } from '../../../apdu/decode-module/keys/ceilings.ts';
import { type KeyMessage, sealKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import type { Tariff } from '../../../apdu/decode-module/money/tariff.ts';
import { MAX_PAYLOAD } from '../../stream/sealing/group-sealer.ts';
import { MAX_TS_PAYLOAD_DURATION } from '../sources/ts-packer.ts';

/** A service key, and what a purchase of it allows. */
export interface Purchase {
  readonly service: number;
  readonly keyId: number;
  /** 16 octets. */
  readonly key: Uint8Array;
  /** Media time [from, to). */
  readonly from: number;
  readonly to: number;
  /** One more than that of the last grant of the card, of any service: a card takes a number once, of the 32 up to the highest. */
  readonly number: number;
  readonly ceilings: Ceilings;
}

/**
 * The service message for one card.
 * @param cardId 8 octets.
 * @param downlinkKey of this card, 16 octets.
 * @throws FormatError when the card id is none.
 * @throws OutOfRangeError when a ceiling does not fit.
 */
export function sealGrant(purchase: Purchase, cardId: Uint8Array, downlinkKey: Uint8Array): KeyMessage {
  const { service, keyId, from, to, number } = purchase;
  const parentId = decodeCardId(cardId).serial;
  return sealKeyMessage(
    { kind: KIND.service, service, keyId, from, to, number, parentKind: KIND.unique, parentId },
    purchase.key,
    encodeCeilings(purchase.ceilings),
    downlinkKey,
  );
}

/**
 * What the card takes from the balance at a time: about 1 MB or 10 s of toll, or the flat price; `firmware-notes/protocol.md` 7.3.
 * @returns micro-units.
 */
export function chooseQuantum({ kind, price }: Tariff): bigint {
  const toll = kind === 'duration' ? price / 360n : price;
  return toll > 0n ? toll : 1n;
}

/**
 * The tightest ceilings under which a stream plays.
 * @param every most packets of a group.
 * @param closingTime most ms of a group of more than one packet.
 * @param quantum micro-units.
 */
export function deriveCeilings(tariff: Tariff, every: number, closingTime: number, quantum: bigint): Ceilings {
  const ceiling = (kind: Tariff['kind']) => (tariff.kind === kind ? tariff.price : 0n);
  return {
    perMegabyte: ceiling('octets'),
    perHour: ceiling('duration'),
    flat: ceiling('flat'),
    groupOctets: every * MAX_PAYLOAD,
    groupDuration: closingTime + MAX_TS_PAYLOAD_DURATION,
    quantum,
  };
}
