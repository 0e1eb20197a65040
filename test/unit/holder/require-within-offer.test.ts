import { expect, test } from 'vitest';
import { encodeCardId } from '../../../apdu/decode-module/card-id.ts';
import type { Ceilings } from '../../../apdu/decode-module/keys/ceilings.ts';
import { FormatError } from '../../../apdu/errors.ts';
import { sealGrant } from '../../../host/headend/keys/grants/grant.ts';
import { requireWithinOffer } from '../../../host/holder/requests/require-within-offer.ts';
import { NOW, SAMPLE_OFFER } from '../../support/headend/sample-offer.ts';

const CEILINGS: Ceilings = { perMegabyte: 5n, perHour: 6n, flat: 7n, groupOctets: 8, groupDuration: 9, quantum: 10n };
const OFFER = { ...SAMPLE_OFFER, ceilings: CEILINGS };
const CARD_ID = encodeCardId({ issuer: 1, moduleClass: 'card', serial: 2 });

function seal(ceilings: Ceilings, service = SAMPLE_OFFER.service): Uint8Array {
  const key = new Uint8Array(16);
  const purchase = { service, keyId: 1, key, from: NOW, to: NOW + 60, number: 1, ceilings };
  return sealGrant(purchase, CARD_ID, key).octets;
}

test('a purchase up to the ceilings of the offer passes', () => {
  requireWithinOffer(seal(CEILINGS), OFFER);
  requireWithinOffer(seal({ ...CEILINGS, quantum: 1n, currency: 840 }), OFFER);
  expect(() => requireWithinOffer(seal(CEILINGS, 8), OFFER)).toThrow('for service 8, not 7');
});

test.each([
  ['perMegabyte', 6n],
  ['perHour', 7n],
  ['flat', 8n],
  ['groupOctets', 9],
  ['groupDuration', 10],
  ['quantum', 11n],
] as const)('one with a higher %s does not', (name, value) => {
  expect(() => requireWithinOffer(seal({ ...CEILINGS, [name]: value }), OFFER)).toThrow(
    expect.objectContaining({ code: 'ABOVE_OFFER' }),
  );
});

test('nor one in another currency, nor what is no key message', () => {
  expect(() => requireWithinOffer(seal({ ...CEILINGS, currency: 978 }), OFFER)).toThrow('in currency 978');
  expect(() => requireWithinOffer(new Uint8Array(5), OFFER)).toThrow(FormatError);
});
