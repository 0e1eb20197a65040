import { encodeContentTerms } from '../../../apdu/decode-module/keys/content-terms.ts';
import { sealKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { deriveCeilings, sealGrant } from '../../../host/headend/keys/grants/grant.ts';
import { limitGroups } from '../../../host/headend/sender/sealing-profile.ts';
import { deriveTestCardKey, START } from '../streams/test-service.ts';

/** Service of these messages, and the serial of the card that they are for. */
export const SERVICE = 7;
export const SERIAL = 1;
export const TARIFF = { kind: 'octets', price: 250_000n } as const;
const SERVICE_KEY = new Uint8Array(16).fill(5);
const SEGMENT_KEY = new Uint8Array(16).fill(6);
export const VALID = { service: SERVICE, from: START, to: START + 1000, number: 0 };

/** A service key for one card. */
export function service(cardId: Uint8Array, number = START): Uint8Array {
  const ceilings = deriveCeilings(TARIFF, limitGroups({ every: 10, closingTime: 1000 }), 1000n);
  const purchase = { service: SERVICE, keyId: 1, key: SERVICE_KEY, from: START, to: START + 1000, number, ceilings };
  return sealGrant(purchase, cardId, deriveTestCardKey('downlink', cardId)).octets;
}

/** A segment key under the service key, or under another one of this id that nobody has. */
export function segment(id: number, under = 1): Uint8Array {
  const header = { ...VALID, kind: KIND.segment, keyId: id, parentKind: KIND.service, parentId: under } as const;
  return sealKeyMessage(header, SEGMENT_KEY, new Uint8Array(0), SERVICE_KEY).octets;
}

/** A content key for one stream. @param edition of the key, where one replaces another under its own id. */
export function content(id: number, under: number, ssrc: number, edition = 0): Uint8Array {
  const terms = {
    tariff: TARIFF,
    classes: { card: true, soft: true },
    segmentId: under,
    ssrcs: [ssrc],
    masterSalt: new Uint8Array(12).fill(edition),
  } as const;
  const header = { ...VALID, kind: KIND.content, keyId: id, parentKind: KIND.segment, parentId: under } as const;
  return sealKeyMessage(header, new Uint8Array(16).fill(id + edition), encodeContentTerms(terms), SEGMENT_KEY).octets;
}
