import { randomInt } from 'node:crypto';
import type { Command } from 'commander';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { InputError } from '../../../apdu/errors.ts';
import { hasPurse } from '../../holder/life.ts';
import { createStore } from '../../issuer/keys/key-store.ts';
import { describeAccount, describePurse } from '../card/card-view.ts';
import { print, withCard } from '../options/card-option.ts';
import {
  createCardCommand,
  type IssuerOptions,
  createStoreCommand,
  type StoreOptions,
} from '../options/issuer-option.ts';
import { addPassphraseOptions, choosePassphrase, type PassphraseOptions } from '../terminal/passphrase.ts';
import { addAdministrationCommands } from './issuer-administration.ts';
import { addBatchCommand } from './issuer-batch.ts';
import { addCopyCommands } from './issuer-copies.ts';
import { addCreditCommands } from './issuer-credit.ts';
import { addListCommands } from './issuer-list.ts';
import { addPersonaliseCommand } from './issuer-personalise.ts';
import { addRemoteCommands } from './issuer-remote.ts';

/** Adds `tollcast issuer` with its commands to the program. */
export function addIssuerCommand(program: Command): void {
  const issuer = program.command('issuer').description('make cards, load them, collect their receipts');

  addPassphraseOptions(createStoreCommand(issuer, 'init', 'make an issuer store: four master keys and empty accounts'))
    .option('--id <hex>', 'issuer number, the first 3 octets of every card id (default: random)', parseIssuerNumber)
    .option('--json', 'print one line of JSON')
    .action(init);
  addPersonaliseCommand(issuer);
  addBatchCommand(issuer);
  addCreditCommands(issuer);
  addRemoteCommands(issuer);
  addAdministrationCommands(issuer);
  addListCommands(issuer);
  addCopyCommands(issuer);
  createCardCommand(issuer, 'show', 'show a card and its purse; ends its open session').action(show);
}

/** Reads an issuer number. 000000 is that of a blank card. @throws InputError */
function parseIssuerNumber(text: string): number {
  if (/^[0-9a-f]{6}$/i.test(text) && text !== '000000') return Number.parseInt(text, 16);
  throw new InputError(
    `"${text.slice(0, 40)}" is not an issuer number; write six hexadecimal digits, not all zero, as in 0a1b2c`,
  );
}

async function init(
  options: StoreOptions & PassphraseOptions & { readonly id?: number; readonly json?: true },
): Promise<void> {
  const issuer = options.id ?? randomInt(1, 2 ** 24);
  await createStore(options.store, issuer, await choosePassphrase(options));
  const id = issuer.toString(16).padStart(6, '0');
  print(options, { store: options.store, issuer: id }, [
    `issuer ${id}: store made in ${options.store}; keep a copy of it, and its passphrase somewhere else`,
  ]);
}

async function show(options: IssuerOptions): Promise<void> {
  await withCard(options, async (channel) => {
    const module = new DecodeModule(channel);
    const answer = await module.select();
    const { cardId, life } = answer;
    const purse = hasPurse(answer) ? describePurse(await module.getPurse()) : undefined;
    const kept = await describeAccount(options.store, cardId);
    print(
      options,
      { card: formatCardId(cardId), life, ...purse?.json, ...kept?.json },
      life === 'blank'
        ? ['a blank card; type: tollcast issuer personalise']
        : [`card      ${formatCardId(cardId)}, ${life}`, ...(purse?.lines ?? []), ...(kept?.lines ?? [])],
    );
  });
}
