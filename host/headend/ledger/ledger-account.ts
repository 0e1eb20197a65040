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
  /^(?:cash|writeoffs|(?:card|torn):[0-9a-f]{16}|(?:revenue|refunds):\d{1,10}|(?:user|provider|operator|tax):\P{Cc}+)$/u;

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

function isLedgerAccount(text: string): text is LedgerAccount {
  return text.length <= MAX_LENGTH && FORM.test(text);
}
