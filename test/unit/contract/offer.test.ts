import { createPublicKey, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError, TollcastError } from '../../../apdu/errors.ts';
import { concat, toHex } from '../../../apdu/octets.ts';
import { encodeOfferText, MAX_OFFER_TEXT, parseOfferText } from '../../../host/contract/offer/offer-text.ts';
import type { Offer, PriceComponent } from '../../../host/contract/offer/offer.ts';
import {
  computeSessionHash,
  OFFER_HEAD,
  parseOffer,
  signOffer,
  verifyOffer,
} from '../../../host/contract/offer/signed-offer.ts';
import { SAMPLE_OFFER, SAMPLE_SIGNER, SAMPLE_VERIFICATION_KEY } from '../../support/headend/sample-offer.ts';

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const fields = (): Record<string, unknown> =>
  JSON.parse(new TextDecoder().decode(encodeOfferText(SAMPLE_OFFER))) as Record<string, unknown>;

describe('the text of an offer', () => {
  test('is read as it was written', () => {
    expect(parseOfferText(encodeOfferText(SAMPLE_OFFER))).toEqual(SAMPLE_OFFER);
  });

  test('is read as it was written, whatever is in it', () => {
    const component = fc.record({
      payer: fc.constantFrom('user', 'provider'),
      basis: fc.constantFrom('octets', 'duration', 'programme'),
      settlement: fc.constantFrom('purse', 'invoice'),
      price: fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }),
    });
    const offer = fc.record({
      content: component,
      slots: fc.option(fc.record({ start: fc.nat(), length: fc.integer({ min: 60, max: 3600 }), offset: fc.nat(59) })),
      service: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
      rating: fc.nat(255),
    });
    fc.assert(
      fc.property(offer, ({ content, slots, ...rest }) => {
        const components = [{ part: 'content', ...content } as PriceComponent];
        const whole: Offer = { ...SAMPLE_OFFER, ...rest, components, ...(slots !== null && { slots }) };
        expect(parseOfferText(encodeOfferText(whole))).toEqual(whole);
      }),
    );
  });

  test.each<[string, unknown]>([
    ['version', 2],
    ['name', ''],
    ['name', 'clear\u001b[2J'],
    ['session', 'finnkino 457286529 1453 172.10.20.212'],
    ['service', 0],
    ['service', 1.5],
    ['components', []],
    ['components', [{ part: 'content', payer: 'user', basis: 'free', settlement: 'purse', price: '1' }]],
    ['components', [{ part: 'content', payer: 'user', basis: 'duration', settlement: 'purse', price: 1 }]],
    ['currency', undefined],
    ['currency', 'usd'],
    ['requestInterval', 0],
    ['classes', ['iButton']],
    ['headEnds', [{ url: 'http://headend.example', tlsKey: 'ab'.repeat(32) }]],
    ['headEnds', [{ url: 'https://headend.example', tlsKey: 'ab' }]],
    ['address', { address: '239.1.2.300', port: 5004, keyPort: 5006, sources: [] }],
    ['to', 0],
    ['discount', '5'],
  ])('is refused when its %s is %j', (name, value) => {
    const changed = { ...fields(), [name]: value };
    expect(() => parseOfferText(encode(changed))).toThrow(FormatError);
  });

  test('has one price for each part', () => {
    const twice = [SAMPLE_OFFER.components[0]!, SAMPLE_OFFER.components[0]!];
    expect(() => encodeOfferText({ ...SAMPLE_OFFER, components: twice })).toThrow('the same part twice');
  });

  test('has at most 8,192 octets', () => {
    const name = 'x'.repeat(MAX_OFFER_TEXT);
    expect(() => parseOfferText(encode({ ...fields(), name }))).toThrow(`at most ${MAX_OFFER_TEXT} are read`);
  });

  test('never ends its reader otherwise than by a FormatError', () => {
    const refuses = (octets: Uint8Array): void => {
      try {
        parseOfferText(octets);
      } catch (error) {
        expect(error).toBeInstanceOf(TollcastError);
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), refuses));
    fc.assert(fc.property(fc.json(), (text) => refuses(new TextEncoder().encode(text))));
    const names = fc.constantFrom(...Object.keys(fields()));
    fc.assert(fc.property(names, fc.jsonValue(), (name, value) => refuses(encode({ ...fields(), [name]: value }))));
  });
});

describe('a signed offer', () => {
  const octets = signOffer(SAMPLE_OFFER, SAMPLE_SIGNER);

  test('is read by who trusts its key', () => {
    expect(verifyOffer(octets, [SAMPLE_VERIFICATION_KEY])).toMatchObject({ ...SAMPLE_OFFER, keyId: 1, octets });
  });

  test('is checked by another library from what the page says', () => {
    const label = new TextEncoder().encode('tollcast offer 1\0');
    const x = Buffer.from(SAMPLE_VERIFICATION_KEY.key).toString('base64url');
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    const text = octets.subarray(68);
    expect(verify(null, concat(label, text), key, octets.subarray(4, 68))).toBe(true);
  });

  test.each([
    ['no key', []],
    ['another id', [{ ...SAMPLE_VERIFICATION_KEY, id: 2 }]],
    ['another key', [{ id: 1, key: new Uint8Array(32).fill(9) }]],
  ])('is refused by who trusts %s', (_, trusted) => {
    expect(() => verifyOffer(octets, trusted)).toThrow(expect.objectContaining({ code: 'OFFER_NOT_TRUSTED' }));
  });

  test('is refused with any bit changed', () => {
    fc.assert(
      fc.property(fc.nat(octets.length * 8 - 1), (bit) => {
        const changed = octets.slice();
        changed[bit >> 3]! ^= 1 << (bit & 7);
        expect(() => verifyOffer(changed, [SAMPLE_VERIFICATION_KEY])).toThrow(TollcastError);
      }),
      { numRuns: 50 },
    );
  });

  test('is refused when nothing follows its head', () => {
    expect(() => parseOffer(octets.slice(0, OFFER_HEAD.length))).toThrow(FormatError);
  });

  test('gives requests a session hash of the text alone', () => {
    const other = signOffer(SAMPLE_OFFER, { keyId: 2, privateKey: new Uint8Array(32).fill(8) });
    expect(toHex(computeSessionHash(other))).toBe(toHex(computeSessionHash(octets)));
    expect(parseOffer(octets).sessionHash).toHaveLength(20);
    const dearer = { ...SAMPLE_OFFER, rating: 1 };
    expect(toHex(computeSessionHash(signOffer(dearer, SAMPLE_SIGNER)))).not.toBe(toHex(computeSessionHash(octets)));
  });
});
