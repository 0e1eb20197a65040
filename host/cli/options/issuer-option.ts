import type { Command } from 'commander';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import type { ChannelKeySet } from '../../../apdu/secure-channel/scp03-keys.ts';
import { TEST_KEY_SET } from '../../../apdu/secure-channel/test-key-set.ts';
import { Accounts } from '../../issuer/cards/accounts.ts';
import type { Administration } from '../../issuer/cards/card-administration.ts';
import { readKeySet } from '../../issuer/keys/key-set-file.ts';
import { DEFAULT_STORE, KeyStore } from '../../issuer/keys/key-store.ts';
import { addPassphraseOptions, askPassphrase, type PassphraseOptions } from '../terminal/passphrase.ts';
import { addCardOptions, type CardOptions, withCard } from './card-option.ts';

export interface StoreOptions {
  readonly store: string;
}

export type IssuerOptions = CardOptions & StoreOptions & PassphraseOptions;

export interface ChannelOptions extends IssuerOptions {
  readonly keys?: string;
}

export function createStoreCommand(parent: Command, name: string, description: string): Command {
  return parent.command(name).description(description).option('--store <directory>', 'the issuer store', DEFAULT_STORE);
}

export function createCardCommand(parent: Command, name: string, description: string): Command {
  return addCardOptions(addPassphraseOptions(createStoreCommand(parent, name, description)));
}

/** Creates a command that goes through the secure channel of the card. */
export function createChannelCommand(parent: Command, name: string, description: string): Command {
  return createCardCommand(parent, name, description).option(
    '--keys <file>',
    'key set that the card holds, in JSON, when it is not the one of this store',
  );
}

/** Opens the accounts, then the card, and closes both whatever happens. Masters are opened only when they are used. */
export async function withStore<T>(
  options: IssuerOptions & { readonly create?: true },
  work: (channel: CardChannel, keys: KeyStore, accounts: Accounts) => Promise<T>,
): Promise<T> {
  await using accounts = await Accounts.open(options.store);
  const keys = new KeyStore(options.store, () => askPassphrase(options));
  return await withCard(options, (channel) => work(channel, keys, accounts));
}

/** Opens the accounts and the card as {@link withStore} does, for work through the secure channel. */
export async function administer<T>(options: ChannelOptions, work: (on: Administration) => Promise<T>): Promise<T> {
  const installed = options.keys === undefined ? undefined : await readKeySet(options.keys);
  return withStore(options, (channel, keys, accounts) => work({ channel, keys, accounts, installed }));
}

/** Reads the key set that a blank card was installed with: the test keys unless a file is named. */
export async function readInstalledKeys({ keys }: Pick<ChannelOptions, 'keys'>): Promise<ChannelKeySet> {
  return keys === undefined ? TEST_KEY_SET : readKeySet(keys);
}
