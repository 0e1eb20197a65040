import { expect, test } from 'vitest';
import { costsNoMore } from '../../../host/contract/offer/costs-no-more.ts';
import { parseSession } from '../../../host/contract/session/session-identity.ts';
import { SAMPLE_OFFER } from '../../support/headend/sample-offer.ts';

const [component] = SAMPLE_OFFER.components;

test('an offer of the same session and price is accepted with the one before, and a cheaper one', () => {
  expect(costsNoMore({ ...SAMPLE_OFFER, name: 'Another name', from: 1, to: 2 }, SAMPLE_OFFER)).toBe(true);
  expect(costsNoMore({ ...SAMPLE_OFFER, components: [{ ...component!, price: 0n }] }, SAMPLE_OFFER)).toBe(true);
});

test.each([
  ['a higher price', { components: [{ ...component!, price: component!.price + 1n }] }],
  ['another basis', { components: [{ ...component!, basis: 'programme' }] }],
  ['another settlement', { components: [{ ...component!, settlement: 'purse' }] }],
  ['a part more', { components: [...SAMPLE_OFFER.components, { ...component!, part: 'delivery' }] }],
  ['a higher ceiling', { ceilings: { ...SAMPLE_OFFER.ceilings, quantum: SAMPLE_OFFER.ceilings.quantum + 1n } }],
  ['another session', { session: parseSession('other 1 10.0.0.1') }],
  ['another service', { service: SAMPLE_OFFER.service + 1 }],
] as const)('an offer with %s is to be asked about', (_, change) => {
  expect(costsNoMore({ ...SAMPLE_OFFER, ...change }, SAMPLE_OFFER)).toBe(false);
});
