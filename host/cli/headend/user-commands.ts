import type { Command } from 'commander';
import { type ConfigOption, withConfig } from './config-option.ts';

/** What only an operator needs is loaded with the first of these commands. */
const load = () => import('./operator-actions.ts');
const loadUsers = () => import('./user-actions.ts');

const PATH = '/v1/operator/users';

/** What is written down of a person. */
interface PersonOptions extends ConfigOption {
  readonly person?: string;
  readonly contact?: string;
  readonly address?: string;
}

/** How a user is erased. */
export interface EraseOptions extends ConfigOption {
  readonly archived?: true;
  readonly yes?: true;
}

/** Adds the commands about users and the cards that each has. */
export function addUserCommands(headend: Command): void {
  const user = headend
    .command('user')
    .description('who uses which cards; a card that nobody was given is its own user');
  withConfig(user, 'list', 'list users and their cards, a line of JSON for each')
    .argument('[name]', 'this user alone')
    .action(async (name: string | undefined, { config }: ConfigOption) =>
      name === undefined ? (await loadUsers()).listUsers(config) : (await load()).show(config, pathOf(name)),
    );
  withConfig(user, 'put', 'write down who a user is; what is left out stays, and "" takes it away')
    .argument('<name>', 'name of the user, as in its account user:NAME')
    .option('--person <text>', 'what the person is called')
    .option('--contact <text>', 'how the person is reached')
    .option('--address <text>', 'lines of the address, as on an invoice')
    .action(async (name: string, { config, ...person }: PersonOptions) => {
      const fields = Object.entries(person).map(([field, text]) => [field, text === '' ? null : text]);
      await (await load()).change(config, 'PUT', pathOf(name), Object.fromEntries(fields));
    });
  withConfig(user, 'export', 'write all that is held about a user, JSON')
    .argument('<name>', 'name of the user')
    .action(async (name: string, { config }: ConfigOption) => (await loadUsers()).exportUser(name, config));
  withConfig(user, 'erase', 'erase who a user is, for good; the ledger keeps a pseudonym')
    .argument('<name>', 'name of the user')
    .option('--archived', 'its invoices are kept elsewhere, as far as the law makes you')
    .option('--yes', 'it cannot be taken back, and is to be done')
    .action(async (name: string, options: EraseOptions) => (await loadUsers()).eraseUser(name, options));
  addCardCommand(user, 'join', 'PUT', 'give a user a card: its next joins are charged to the user');
  addCardCommand(user, 'part', 'DELETE', 'take a card from a user: from now on it is its own');
}

function addCardCommand(user: Command, name: string, method: 'PUT' | 'DELETE', description: string): void {
  withConfig(user, name, description)
    .argument('<name>', 'name of the user')
    .argument('<card>', 'card id')
    .action(async (who: string, card: string, { config }: ConfigOption) =>
      (await load()).change(config, method, `${pathOf(who)}/cards/${encodeURIComponent(card)}`),
    );
}

function pathOf(name: string): string {
  return `${PATH}/${encodeURIComponent(name)}`;
}
