import type { Migration } from 'kysely/migration';
import { accounts } from './0001-accounts.ts';
import { creditLimits } from './0002-credit-limits.ts';
import { keyedCards } from './0003-keyed-cards.ts';
import { plainNames } from './0004-plain-names.ts';
import { grantNumbers } from './0005-grant-numbers.ts';
import { uplinkMasters } from './0006-uplink-masters.ts';
import { cardPairs } from './0007-card-pairs.ts';
import { headEnds } from './0008-head-ends.ts';

/**
 * What each version of the store adds to the one before, by name and in the order of the names. Each can be repeated.
 * One that has been released never changes; a later version is a further migration.
 */
export const ISSUER_MIGRATIONS: Record<string, Migration> = {
  '0001-accounts': accounts,
  '0002-credit-limits': creditLimits,
  '0003-keyed-cards': keyedCards,
  '0004-plain-names': plainNames,
  '0005-grant-numbers': grantNumbers,
  '0006-uplink-masters': uplinkMasters,
  '0007-card-pairs': cardPairs,
  '0008-head-ends': headEnds,
};
