import { expect, test } from 'vitest';
import { NO_LIMITS } from '../../../apdu/decode-module/card-limits.ts';
import { OutOfRangeError } from '../../../apdu/errors.ts';
import { type NewCard, requireUsableCard } from '../../../host/issuer/cards/personalisation.ts';

const CARD: NewCard = { moduleClass: 'card', currency: 840, maximumBalance: 1n, maximumUnacknowledged: 1n };
const TRUSTED = { id: 1, key: new Uint8Array(32) };

test('a card that somebody can use is taken', () => {
  const limits = { ...NO_LIMITS, pinForSessions: true };
  const full = { ...CARD, limits, pin: new Uint8Array(8), trust: Array.from({ length: 4 }, () => TRUSTED) };
  for (const card of [CARD, full]) expect(() => requireUsableCard(card)).not.toThrow();
});

test.each<[string, Partial<NewCard>, RegExp]>([
  ['holds nothing', { maximumBalance: 0n }, /name at least 0\.000001 USD/],
  ['may have no receipt', { maximumUnacknowledged: 0n }, /name at least 0\.000001 USD/],
  ['wants a PIN that it has not', { limits: { ...NO_LIMITS, pinForSessions: true } }, /add --pin/],
  ['lets a PIN that it has not lift a limit', { limits: { ...NO_LIMITS, pinLiftsRating: true } }, /add --pin/],
  ['trusts five signers', { trust: Array.from({ length: 5 }, () => TRUSTED) }, /keeps 4 verification keys/],
])('a card that %s is refused', (_, wrong, message) => {
  expect(() => requireUsableCard({ ...CARD, ...wrong })).toThrow(message);
  expect(() => requireUsableCard({ ...CARD, ...wrong })).toThrow(OutOfRangeError);
});
