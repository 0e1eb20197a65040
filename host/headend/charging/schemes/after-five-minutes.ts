import { amountOf, ticksOf } from '../../../../apdu/decode-module/money/tariff.ts';
import type { ChargingScheme } from './charging-scheme.ts';

const FREE_SECONDS = 300;

/** Who looks in for five minutes or less pays nothing; by the hour, the five minutes are free for those who stay, too. */
export const chargeAfterFiveMinutes: ChargingScheme = ({ seconds, tariff, charge }) => {
  if (seconds <= FREE_SECONDS) return 0n;
  return tariff.kind === 'duration' ? amountOf(ticksOf(tariff, 0, (seconds - FREE_SECONDS) * 1000, true)) : charge;
};
