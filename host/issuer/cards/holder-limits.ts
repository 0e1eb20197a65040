import type { CardLimits } from '../../../apdu/decode-module/card-limits.ts';
import { InputError } from '../../../apdu/errors.ts';
import type { Currency } from '../../money/currency.ts';
import { formatSpendLimit } from '../../money/spend-limit.ts';

/** What a card wants its PIN for: for sessions, to lift the rating limit, for both or for neither. */
export const PIN_POLICIES = ['none', 'sessions', 'rating', 'both'] as const;

export type PinPolicy = (typeof PIN_POLICIES)[number];

/** The two bits of a card that a policy stands for. */
export function limitsOfPolicy(policy: PinPolicy): Pick<CardLimits, 'pinForSessions' | 'pinLiftsRating'> {
  return {
    pinForSessions: policy === 'sessions' || policy === 'both',
    pinLiftsRating: policy === 'rating' || policy === 'both',
  };
}

export function policyOfLimits({
  pinForSessions,
  pinLiftsRating,
}: Pick<CardLimits, 'pinForSessions' | 'pinLiftsRating'>): PinPolicy {
  if (pinForSessions) return pinLiftsRating ? 'both' : 'sessions';
  return pinLiftsRating ? 'rating' : 'none';
}

/** Reads an age from 1 to 255, or `none`. @returns 0 for none. @throws InputError */
export function parseRatingLimit(text: string): number {
  if (text === 'none') return 0;
  if (/^\d{1,3}$/.test(text) && Number(text) <= 255) return Number(text);
  throw new InputError(`"${text.slice(0, 40)}" is not a rating limit; write an age from 1 to 255, or none`);
}

/** The limits of a holder in words, on one line. */
export function describeLimits(limits: CardLimits, currency: Currency): string {
  const spendLimit = formatSpendLimit(limits.spendLimit, currency);
  const rating = limits.ratingLimit === 0 ? 'none' : String(limits.ratingLimit);
  return `spend limit a day ${spendLimit}, rating limit ${rating}, PIN policy ${policyOfLimits(limits)}`;
}
