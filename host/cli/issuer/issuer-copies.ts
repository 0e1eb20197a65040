import type { Command } from 'commander';
import { backUpStore } from '../../issuer/copies/backup.ts';
import { restoreStore } from '../../issuer/copies/restore.ts';
import type { StoreContents } from '../../issuer/copies/store-contents.ts';
import { changePassphrase } from '../../issuer/keys/change-passphrase.ts';
import { print } from '../options/card-option.ts';
import { createStoreCommand, type StoreOptions } from '../options/issuer-option.ts';
import {
  addPassphraseOptions,
  askPassphrase,
  chooseNewPassphrase,
  type PassphraseOptions,
} from '../terminal/passphrase.ts';
import { formatTime, now } from '../terminal/time.ts';

interface CopyOptions extends StoreOptions {
  readonly json?: true;
}

/** Adds the commands of `tollcast issuer` that look after its store. */
export function addCopyCommands(issuer: Command): void {
  createStoreCommand(issuer, 'backup', 'copy the store, while it is in use too; the copy opens with its passphrase')
    .argument('<directory>', 'where the copy is to be; it is not there yet')
    .option('--json', 'print one line of JSON')
    .action(backUp);
  createStoreCommand(issuer, 'restore', 'make the store of a copy; nothing that is there is overwritten')
    .argument('<directory>', 'the copy')
    .option('--json', 'print one line of JSON')
    .action(restore);
  addPassphraseOptions(createStoreCommand(issuer, 'passphrase', 'seal the masters of the store with a new passphrase'))
    .option(
      '--new-passphrase-file <file>',
      'the new passphrase is in this file (default: in TOLLCAST_NEW_PASSPHRASE, or typed)',
    )
    .option('--json', 'print one line of JSON')
    .action(replacePassphrase);
}

async function backUp(directory: string, options: CopyOptions): Promise<void> {
  const contents = await backUpStore(options.store, directory);
  print(options, { directory, ...contentsToJson(contents) }, [
    `issuer ${nameIssuer(contents)}: ${describeContents(contents)} copied to ${directory}; ` +
      'keep it elsewhere, and without the passphrase beside it',
  ]);
}

async function restore(directory: string, options: CopyOptions): Promise<void> {
  const { grantNumber, ...contents } = await restoreStore(directory, options.store, now());
  print(options, { store: options.store, ...contentsToJson(contents), grantNumber }, [
    `issuer ${nameIssuer(contents)}: ${describeContents(contents)} restored to ${options.store}`,
    ...(grantNumber === 0
      ? []
      : [
          `grants go on above number ${grantNumber} (${formatTime(grantNumber)}), so that no number is given again`,
          'a card that got more than one grant a second since the copy was made refuses some of its next ones',
        ]),
    'what was loaded or collected since the copy was made is not in it: such a card is refused with ACCOUNTS_BEHIND',
  ]);
}

async function replacePassphrase(
  options: CopyOptions & PassphraseOptions & { readonly newPassphraseFile?: string },
): Promise<void> {
  const present = await askPassphrase(options);
  const next = await chooseNewPassphrase(options.newPassphraseFile);
  const masters = await changePassphrase(options.store, present, next);
  print(options, { store: options.store, masters }, [
    `${options.store}: the masters ${masters.join(', ')} open with the new passphrase; older copies with the old one`,
  ]);
}

function nameIssuer({ issuer }: StoreContents): string {
  return issuer.toString(16).padStart(6, '0');
}

function describeContents({ cards, orders, receipts }: StoreContents): string {
  return `${cards} cards, ${orders} orders and ${receipts} receipts`;
}

function contentsToJson(contents: StoreContents): Record<string, unknown> {
  return { ...contents, issuer: nameIssuer(contents) };
}
