import { deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import { toHex } from '../../../apdu/octets.ts';
import { StoreError } from '../../store/store-error.ts';
import { Accounts } from '../cards/accounts.ts';
import type { KeyStore } from './key-store.ts';

/** What tells the requests of an issuer's cards from forged ones. */
export interface UplinkKeys {
  /** Of the cards that were made since there is one, 16 octets. */
  readonly master: Uint8Array;
  /** Of each card that was made before, by its id in hexadecimal, 16 octets. */
  readonly older: ReadonlyMap<string, Uint8Array>;
}

/**
 * Opens the uplink master. A store of an earlier version gets one: its cards keep their keys, and the next card has a
 * key of the new master.
 * @returns 16 octets.
 * @throws IssuerError as {@link KeyStore.open} does; `NO_MASTER` too when cards have keys of a master that is gone.
 */
export async function openUplinkMaster(keys: KeyStore, accounts: Accounts): Promise<Uint8Array> {
  if (await keys.has('uplink')) return keys.open('uplink');
  return accounts.transaction(async (held) => {
    const isFirst = (await held.cardsWithUplinkOf('uplink')).length === 0;
    if (isFirst && !(await keys.has('uplink'))) await keys.make('uplink', 'personalisation');
    return keys.open('uplink');
  });
}

/**
 * Opens all that tells the requests of an issuer's cards from forged ones.
 * @param directory of the store. The uplink master is enough where all cards are of it: older cards need the accounts
 *   and the unique master.
 * @throws IssuerError as {@link KeyStore.open} does; StoreError as opening the accounts does.
 */
export async function openUplinkKeys(directory: string, keys: KeyStore): Promise<UplinkKeys> {
  let accounts: Accounts;
  try {
    accounts = await Accounts.open(directory);
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'NO_STORE') throw error;
    return { master: await keys.open('uplink'), older: new Map() };
  }
  try {
    const master = await openUplinkMaster(keys, accounts);
    const cards = await accounts.cardsWithUplinkOf('unique');
    const unique = cards.length === 0 ? undefined : await keys.open('unique');
    return { master, older: new Map(cards.map((id) => [toHex(id), deriveCardKey(unique!, 'uplink', id)])) };
  } finally {
    await accounts.close();
  }
}
