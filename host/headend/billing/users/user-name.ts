import { parseCardId } from '../../../../apdu/decode-module/card-id.ts';
import { InputError, TollcastError } from '../../../../apdu/errors.ts';
import { toHex } from '../../../../apdu/octets.ts';
import { parseLedgerAccount } from '../../ledger/ledger-account.ts';

/** Characters of a name: its account in the ledger has no more. */
export const MAX_USER_NAME = 75;
/** What stands for a name that was erased begins so. */
export const PSEUDONYM = 'erased-';

/** @throws InputError when no user can have this name. */
export function requireUserName(name: string): void {
  parseLedgerAccount(`user:${name}`);
  if (name.startsWith(PSEUDONYM)) {
    throw new InputError(`${name.slice(0, MAX_USER_NAME)} stands for a user that was erased; choose another name`);
  }
}

/** The card whose user has this name by default, 8 octets in hexadecimal; undefined when it names no card. */
export function cardOfName(name: string): string | undefined {
  try {
    return toHex(parseCardId(name));
  } catch (error) {
    if (error instanceof TollcastError) return undefined;
    throw error;
  }
}
