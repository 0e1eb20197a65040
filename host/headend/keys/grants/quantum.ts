import type { Tariff, TariffKind } from '../../../../apdu/decode-module/money/tariff.ts';
import { OutOfRangeError } from '../../../../apdu/errors.ts';
import { MAX_MONEY } from '../../../../apdu/layout/max-money.ts';
import { formatMoney, parseAmount } from '../../../money/amount.ts';
import type { Price } from '../../../money/price.ts';

/**
 * Octets whose toll is taken at a time. The card writes a record for each take: 2.1 MB let a record cell last ten years
 * of 8 hours a day at 5 Mbit/s (`firmware-notes/real-cards.md`, Wear).
 */
const QUANTUM_OCTETS = 2_100_000n;
const MEGABYTE = 1_000_000n;
/** Takes of 10 s in an hour. */
const TAKES_AN_HOUR = 360n;

/**
 * Chooses what a card takes from the balance at a time: the toll of 2.1 MB or of 10 s, or the flat price (protocol
 * 7.3).
 * @returns micro-units, 1 and up; a fraction is rounded up, so that no card takes more often.
 */
export function chooseQuantum({ kind, price }: Tariff): bigint {
  const toll = computeToll(kind, price);
  return toll > 0n ? toll : 1n;
}

function computeToll(kind: TariffKind, price: bigint): bigint {
  switch (kind) {
    case 'octets':
      return divideUp(price * QUANTUM_OCTETS, MEGABYTE);
    case 'duration':
      return divideUp(price, TAKES_AN_HOUR);
    default:
      return price;
  }
}

function divideUp(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
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
