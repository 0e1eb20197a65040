import { type Command, Option } from 'commander';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import type { CardLimits } from '../../../apdu/decode-module/card-limits.ts';
import { InputError } from '../../../apdu/errors.ts';
import { setLimits } from '../../issuer/cards/card-administration.ts';
import {
  describeLimits,
  limitsOfPolicy,
  parseRatingLimit,
  PIN_POLICIES,
  type PinPolicy,
} from '../../issuer/cards/holder-limits.ts';
import { type Currency, currencyByNumber } from '../../money/currency.ts';
import { parseSpendLimit } from '../../money/spend-limit.ts';
import { limitsToJson } from '../card/card-view.ts';
import { print } from '../options/card-option.ts';
import { administer, type ChannelOptions } from '../options/issuer-option.ts';

/** Limits as they stand on a command line. */
export interface LimitOptions {
  readonly spendLimit?: string;
  readonly rating?: number;
  readonly pinPolicy?: PinPolicy;
}

/** Adds the options that say what a holder may do without the PIN. */
export function addLimitOptions(command: Command): Command {
  const policy = new Option('--pin-policy <policy>', 'the PIN is needed for sessions, lifts the rating limit, or both');
  return command
    .option('--spend-limit <amount>', 'most that is taken on one day of the stream, or none')
    .option('--rating <age>', 'refuse content rated for a higher age; none: refuse nothing', parseRatingLimit)
    .addOption(policy.choices(PIN_POLICIES));
}

/** @returns the limits that were named, and no other. */
export function parseLimits({ spendLimit, rating, pinPolicy }: LimitOptions, currency: Currency): Partial<CardLimits> {
  return {
    ...(spendLimit !== undefined && { spendLimit: parseSpendLimit(spendLimit, currency) }),
    ...(rating !== undefined && { ratingLimit: rating }),
    ...(pinPolicy !== undefined && limitsOfPolicy(pinPolicy)),
  };
}

/** `tollcast issuer limits` */
export async function changeLimits(options: ChannelOptions & LimitOptions): Promise<void> {
  if (options.spendLimit === undefined && options.rating === undefined && options.pinPolicy === undefined) {
    throw new InputError('nothing to change; name --spend-limit, --rating or --pin-policy');
  }
  await administer(options, async (on) => {
    const { cardId, currency, limits } = await setLimits(on, (card) =>
      parseLimits(options, currencyByNumber(card.currency)),
    );
    print(options, { card: formatCardId(cardId), ...limitsToJson(limits) }, [
      `card ${formatCardId(cardId)}: ${describeLimits(limits, currencyByNumber(currency))}`,
    ]);
  });
}
