import { expect, test } from 'vitest';
import type { Tariff } from '../../../../apdu/decode-module/money/tariff.ts';
import { chooseQuantum, parseQuantum } from '../../../../host/headend/keys/grants/quantum.ts';
import { parsePrice } from '../../../../host/money/price.ts';

test.each<[string, Tariff, bigint]>([
  ['2.1 MB of 0.25 a megabyte', { kind: 'octets', price: 250_000n }, 525_000n],
  ['2.1 MB of 0.000003 a megabyte, rounded up', { kind: 'octets', price: 3n }, 7n],
  ['2.1 MB of the highest price', { kind: 'octets', price: 0xffff_ffffn }, 9_019_431_320n],
  ['10 s of 2.00 an hour, rounded up', { kind: 'duration', price: 2_000_000n }, 5_556n],
  ['10 s of 3.60 an hour', { kind: 'duration', price: 3_600_000n }, 10_000n],
  ['all of 1.50 a segment', { kind: 'flat', price: 1_500_000n }, 1_500_000n],
  ['the least there is where the stream is free', { kind: 'free', price: 0n }, 1n],
  ['the least there is where 10 s come to less', { kind: 'duration', price: 359n }, 1n],
])('the quantum of a tariff is %s', (_name, tariff, quantum) => expect(chooseQuantum(tariff)).toBe(quantum));

test('a quantum is read exactly, in the currency of the price', () => {
  const price = parsePrice('0.25 USD/MB');
  expect(parseQuantum('0.10', price)).toBe(100_000n);
  expect(parseQuantum('0.000001 USD', price)).toBe(1n);
});

test.each([
  ['0', '0.25 USD/MB', /0\.000001 USD or more/],
  ['549755.813888', '0.25 USD/MB', /at most 549755\.813887 USD/],
  ['1 EUR', '0.25 USD/MB', /write the amount in USD/],
  ['0.10', 'free', /leave out --quantum/],
])('a quantum of %s is refused at a price of %s', (text, price, message) =>
  expect(() => parseQuantum(text, parsePrice(price))).toThrow(message),
);
