import { formatMoney } from '../../money/amount.ts';
import { type Currency, currencyByNumber } from '../../money/currency.ts';
import { formatPrice } from '../../money/price.ts';
import type { PriceOffer } from './price-offer.ts';

const HOUR = 3600n;
const MEGABYTE = 1_000_000n;

/** What a stream costs, in words: its price, what an hour of it comes to, and the balance. */
export function describeOffer(offer: PriceOffer): string {
  const { service, tariff, before, balance } = offer;
  const currency = currencyByNumber(offer.currency);
  const price = formatPrice({ tariff, currency });
  const was = before === undefined ? '' : ` instead of ${formatPrice({ tariff: before, currency })}`;
  const hour = describeHour(offer, currency);
  return `service ${service} costs ${price}${was}${hour}; balance ${formatMoney(balance, currency)}`;
}

function describeHour(offer: PriceOffer, currency: Currency): string {
  const { tariff } = offer;
  switch (tariff.kind) {
    case 'free':
    case 'duration':
      return '';
    case 'flat':
      return ', once for each segment that is watched';
    case 'octets': {
      const octets = offer.octetsPerHour();
      if (octets === 0n) return '';
      const amount = roundUp((octets * tariff.price + MEGABYTE - 1n) / MEGABYTE, currency);
      const rate = Number((octets * 8n) / HOUR / 10_000n) / 100;
      return `, about ${formatMoney(amount, currency)} an hour at ${rate.toFixed(2)} Mbit/s`;
    }
  }
}

/** To the decimals in which the currency is written; an amount below the last of them stays as it is. */
function roundUp(amount: bigint, { digits }: Currency): bigint {
  const unit = 10n ** BigInt(6 - digits);
  return amount < unit ? amount : ((amount + unit - 1n) / unit) * unit;
}
