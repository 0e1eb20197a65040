import type { Migration } from 'kysely/migration';
import { requests } from './0001-requests.ts';
import { services } from './0002-services.ts';
import { ledger } from './0003-ledger.ts';
import { receipts } from './0004-receipts.ts';
import { invoices } from './0005-invoices.ts';
import { sentJournal } from './0006-sent-journal.ts';
import { components } from './0007-components.ts';
import { credits } from './0008-credits.ts';
import { creditNames } from './0009-credit-names.ts';
import { subscriptions } from './0010-subscriptions.ts';
import { users } from './0011-users.ts';
import { logBilling } from './0012-log-billing.ts';
import { sentForgotten } from './0012-sent-forgotten.ts';
import { disputes } from './0013-disputes.ts';
import { erasedDisputes } from './0016-erased-disputes.ts';

/**
 * What each version of the head-end's database adds to the one before, by name and in the order of the names. One that
 * has been released never changes; a later version is a further migration.
 */
export const HEADEND_MIGRATIONS: Record<string, Migration> = {
  '0001-requests': requests,
  '0002-services': services,
  '0003-ledger': ledger,
  '0004-receipts': receipts,
  '0005-invoices': invoices,
  '0006-sent-journal': sentJournal,
  '0007-components': components,
  '0008-credits': credits,
  '0009-credit-names': creditNames,
  '0010-subscriptions': subscriptions,
  '0011-users': users,
  '0012-log-billing': logBilling,
  '0012-sent-forgotten': sentForgotten,
  '0013-disputes': disputes,
  '0016-erased-disputes': erasedDisputes,
};
