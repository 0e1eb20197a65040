import { InputError } from '../../../apdu/errors.ts';

/**
 * An account of the ledger. The left side (debit) of `cash`, `user`, `refunds` and `writeoffs` grows with what is there,
 * is owed to us, or was given up; the right side (credit) of `card`, `torn`, `revenue`, `tax` and `operator` with what we owe or
 * have earned. `provider` is as `user`.
 */
export type LedgerAccount =
  | 'cash'
  | 'writeoffs'
  | `card:${string}`
  | `torn:${string}`
  | `user:${string}`
  | `provider:${string}`
  | `operator:${string}`
  | `revenue:${number}`
  | `refunds:${number}`
  | `tax:${string}`;

const MAX_LENGTH = 80;
const FORM =
  /^(?:cash|writeoffs|(?:card|torn):[0-9a-f]{6}-[0-9a-f]{2}-[0-9a-f]{8}|(?:revenue|refunds):\d{1,10}|(?:user|provider|operator|tax):\P{Cc}+)$/u;

/** @throws InputError when no account can have this name. */
export function parseLedgerAccount(text: string): LedgerAccount {
  if (!isLedgerAccount(text)) {
    throw new InputError(
      `"${text.slice(0, MAX_LENGTH)}" is not an account of the ledger; ` +
        'write cash, writeoffs, card:ID, torn:ID, user:NAME, provider:NAME, operator:NAME, revenue:SERVICE, refunds:SERVICE or tax:RULE',
    );
  }
  return text;
}

/** An account of somebody who owes. @throws InputError when it is another one. */
export function parseDebtor(text: string): LedgerAccount {
  const account = parseLedgerAccount(text);
  if (!account.startsWith('user:') && !account.startsWith('provider:')) {
    throw new InputError(`${account} owes nothing; name user:NAME or provider:NAME`);
  }
  return account;
}

function isLedgerAccount(text: string): text is LedgerAccount {
  return text.length <= MAX_LENGTH && FORM.test(text);
}
