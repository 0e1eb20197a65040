import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { encodeCardId } from '../../../../apdu/decode-module/card-id.ts';
import { decodeCeilings } from '../../../../apdu/decode-module/keys/ceilings.ts';
import type { Tariff } from '../../../../apdu/decode-module/money/tariff.ts';
import { OutOfRangeError } from '../../../../apdu/errors.ts';
import { deriveCeilings, sealGrant } from '../../../../host/headend/keys/grants/grant.ts';
import { limitGroups } from '../../../../host/headend/sender/sealing-profile.ts';
import { unwrapByHand } from '../../../support/cards/keys-by-hand.ts';

const BY_OCTETS: Tariff = { kind: 'octets', price: 250_000n };
const CARD = encodeCardId({ issuer: 0xabcdef, moduleClass: 'soft', serial: 0xfffffffe });

test('a grant opens under the downlink key of its card alone', () => {
  const downlink = randomBytes(16);
  const key = randomBytes(16);
  const ceilings = deriveCeilings(BY_OCTETS, limitGroups({ every: 10, closingTime: 250 }), 1n);
  const purchase = { service: 7, keyId: 1, key, from: 5, to: 6, number: 9, ceilings };
  const { octets } = sealGrant(purchase, CARD, downlink);
  const opened = unwrapByHand(Buffer.from(octets), downlink);
  expect(opened).toMatchObject({ kind: 0x10, keyId: 1, from: 5, to: 6, number: 9, parentId: 0xfffffffe, key });
  expect(decodeCeilings(opened.body)).toEqual(ceilings);
  expect(() => unwrapByHand(Buffer.from(octets), randomBytes(16))).toThrow('tag');
});

test('the ceilings allow the price of the tariff, and nothing under another tariff', () => {
  expect(deriveCeilings({ kind: 'duration', price: 5n }, limitGroups({ every: 1, closingTime: 200 }), 3n)).toEqual({
    perMegabyte: 0n,
    perHour: 5n,
    flat: 0n,
    groupOctets: 1316,
    groupDuration: 3200,
    quantum: 3n,
  });
});

test('a quantum of 0 is refused', () => {
  const ceilings = deriveCeilings(BY_OCTETS, limitGroups({ every: 10, closingTime: 250 }), 0n);
  const purchase = { service: 7, keyId: 1, key: randomBytes(16), from: 5, to: 6, number: 9, ceilings };
  expect(() => sealGrant(purchase, CARD, randomBytes(16))).toThrow(OutOfRangeError);
});
