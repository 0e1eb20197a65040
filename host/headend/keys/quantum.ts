import { MAX_MONEY } from '../../../apdu/layout/max-money.ts';
import type { Tariff } from '../../../apdu/decode-module/money/tariff.ts';
import { OutOfRangeError } from '../../../apdu/errors.ts';
import { formatMoney, parseAmount } from '../../money/amount.ts';
import type { Price } from '../../money/price.ts';

/**
 * Chooses what a card takes from the balance at a time: the toll of 1 MB or of 10 s, or the flat price (protocol 7.3).
 * @returns micro-units, 1 and up.
 */
export function chooseQuantum({ kind, price }: Tariff): bigint {
  const toll = kind === 'duration' ? price / 360n : price;
  return toll > 0n ? toll : 1n;
}

/**
 * Reads a quantum, an amount in the currency of the price.
 * @returns micro-units, 1 to 2^39 - 1.
 * @throws OutOfRangeError when it is 0 or too much, or the price is free.
 * @throws FormatError when it is not written as an amount, or in another currency.
 */
export function parseQuantum(text: string, { currency }: Price): bigint {
  if (currency === undefined) throw new OutOfRangeError('what is free takes nothing from a card; leave out --quantum');
  const quantum = parseAmount(text, currency, MAX_MONEY);
  if (quantum === 0n) throw new OutOfRangeError(`a quantum is ${formatMoney(1n, currency)} or more, not 0`);
  return quantum;
}
