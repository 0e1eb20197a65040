import { type Command, Option } from 'commander';
import { type CardLimits, NO_SPEND_LIMIT } from '../../../apdu/decode-module/card-limits.ts';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { OutOfRangeError } from '../../../apdu/errors.ts';
import { setLimits } from '../../issuer/cards/card-administration.ts';
import { print } from '../options/card-option.ts';
import { type Currency, currencyByNumber } from '../../money/currency.ts';
import { administer, type ChannelOptions } from '../options/issuer-option.ts';
import { formatMoney, parseAmount } from '../../money/amount.ts';

/** Limits as they stand on a command line. */
export interface LimitOptions {
  readonly spendLimit?: string;
  readonly rating?: number;
  readonly pinPolicy?: PinPolicy;
}

const PIN_POLICIES = ['none', 'sessions', 'rating', 'both'] as const;
type PinPolicy = (typeof PIN_POLICIES)[number];

/** Adds the options that say what a holder may do without the PIN. */
export function addLimitOptions(command: Command): Command {
  return command
    .option('--spend-limit <amount>', 'most that is taken on one day of the stream, or none')
    .option('--rating <age>', 'refuse content rated for a higher age; 0 or none: refuse nothing', parseRating)
    .addOption(
      new Option(
        '--pin-policy <policy>',
        'the PIN is needed for sessions, lifts the rating limit, does both or none of it',
      ).choices(PIN_POLICIES),
    );
}

/** @returns what was asked for, and nothing of what was not. */
export function parseLimits(options: LimitOptions, currency: Currency): Partial<CardLimits> {
  const { spendLimit, rating, pinPolicy } = options;
  return {
    ...(spendLimit !== undefined && { spendLimit: parseSpendLimit(spendLimit, currency) }),
    ...(rating !== undefined && { ratingLimit: rating }),
    ...(pinPolicy !== undefined && {
      pinForSessions: pinPolicy === 'sessions' || pinPolicy === 'both',
      pinLiftsRating: pinPolicy === 'rating' || pinPolicy === 'both',
    }),
  };
}

/** Reads an amount a day, or `none`. @returns micro-units. */
export function parseSpendLimit(text: string, currency: Currency): bigint {
  return text === 'none' ? BigInt(NO_SPEND_LIMIT) : parseAmount(text, currency);
}

/** Writes it as it is read. */
export function formatSpendLimit(limit: bigint, currency: Currency): string {
  return limit === BigInt(NO_SPEND_LIMIT) ? 'none' : formatMoney(limit, currency);
}

/** Micro-units for programs; null when there is none. */
export function spendLimitJson(limit: bigint): number | null {
  return limit === BigInt(NO_SPEND_LIMIT) ? null : Number(limit);
}

/** `tollcast issuer limits` */
export async function changeLimits(options: ChannelOptions & LimitOptions): Promise<void> {
  if (options.spendLimit === undefined && options.rating === undefined && options.pinPolicy === undefined) {
    throw new OutOfRangeError('nothing to change; name --spend-limit, --rating or --pin-policy');
  }
  await administer(options, async (on) => {
    const { cardId, currency, limits } = await setLimits(on, (card) =>
      parseLimits(options, currencyByNumber(card.currency)),
    );
    print(options, { card: formatCardId(cardId), ...limitsJson(limits) }, [
      `card ${formatCardId(cardId)}: ${describeLimits(limits, currencyByNumber(currency))}`,
    ]);
  });
}

export function limitsJson(limits: CardLimits): Record<string, unknown> {
  return {
    spendLimit: spendLimitJson(limits.spendLimit),
    ratingLimit: limits.ratingLimit === 0 ? null : limits.ratingLimit,
    pinPolicy: policyOf(limits),
  };
}

export function describeLimits(limits: CardLimits, currency: Currency): string {
  const rating = limits.ratingLimit === 0 ? 'none' : String(limits.ratingLimit);
  return `spend limit a day ${formatSpendLimit(limits.spendLimit, currency)}, rating limit ${rating}, PIN policy ${policyOf(limits)}`;
}

function policyOf({ pinForSessions, pinLiftsRating }: CardLimits): PinPolicy {
  if (pinForSessions) return pinLiftsRating ? 'both' : 'sessions';
  return pinLiftsRating ? 'rating' : 'none';
}

function parseRating(text: string): number {
  if (text === 'none') return 0;
  if (/^\d{1,3}$/.test(text) && Number(text) <= 255) return Number(text);
  throw new OutOfRangeError(`"${text.slice(0, 40)}" is no rating limit; write an age from 1 to 255, or none`);
}
