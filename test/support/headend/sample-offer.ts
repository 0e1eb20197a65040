import { ed25519 } from '@noble/curves/ed25519.js';
import type { Offer } from '../../../host/contract/offer/offer.ts';
import type { OfferSigner } from '../../../host/contract/offer/signed-offer.ts';
import { currencyByCode } from '../../../host/money/currency.ts';

/** 2024-01-01T00:00:00Z, the present of tests. */
export const NOW = 1_704_067_200;

/** An offer of a channel at 5.00 USD an hour by invoice, open for a year. */
export const SAMPLE_OFFER: Offer = {
  name: 'Finnkino 1',
  session: { user: 'finnkino', id: '457286529', address: '172.10.20.212' },
  service: 7,
  components: [
    { part: 'content', payer: 'user', basis: 'duration', settlement: 'invoice', price: 5_000_000n },
    { part: 'delivery', payer: 'provider', basis: 'octets', settlement: 'invoice', price: 10_000n },
  ],
  currency: currencyByCode('USD'),
  ceilings: { perMegabyte: 0n, perHour: 0n, flat: 0n, groupOctets: 131_600, groupDuration: 1200, quantum: 1n },
  requestInterval: 10,
  joinLength: 1800,
  rating: 0,
  suites: [1],
  classes: ['card', 'soft'],
  headEnds: [{ url: 'https://headend.example:8443', tlsKey: 'ab'.repeat(32) }],
  address: { address: '239.1.2.3', port: 5004, keyPort: 5006, sources: [] },
  from: NOW - 86_400,
  to: NOW + 365 * 86_400,
};

const PRIVATE_KEY = new Uint8Array(32).fill(7);

export const SAMPLE_SIGNER: OfferSigner = { keyId: 1, privateKey: PRIVATE_KEY };

/** As a card holds it. */
export const SAMPLE_VERIFICATION_KEY = { id: 1, key: ed25519.getPublicKey(PRIVATE_KEY) };
