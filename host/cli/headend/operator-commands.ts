import type { Command } from 'commander';
import { wholeNumber } from '../options/number-option.ts';
import { type ConfigOption, withConfig } from './config-option.ts';
import { addUserCommands } from './user-commands.ts';

const parseNumber = wholeNumber(1, 0xffff_ffff);

/** What only a head-end and its operators need is loaded with the first of their commands. */
const load = () => import('./operator-actions.ts');

/** Adds the commands that change what a head-end sells while it runs, and show what it sold. */
export function addOperatorCommands(headend: Command): void {
  addServiceCommands(headend);
  addMemberCommands(headend);
  addUserCommands(headend);
  withConfig(headend, 'log', 'show what cards asked for and got, the newest first')
    .option('--card <id>', 'of this card alone')
    .option('--limit <n>', 'rows at most', wholeNumber(1, 10_000), 100)
    .action(async (options: ConfigOption & { readonly card?: string; readonly limit: number }) => {
      const { card, limit, config } = options;
      const query = new URLSearchParams({ limit: String(limit), ...(card !== undefined && { card }) });
      await (await load()).show(config, `/v1/operator/log?${query.toString()}`);
    });
  withConfig(headend, 'bills', 'show what joins came to, the newest first').action(async ({ config }: ConfigOption) =>
    (await load()).show(config, '/v1/operator/bills'),
  );
  withConfig(headend, 'changes', 'show who changed what, the newest first').action(async ({ config }: ConfigOption) =>
    (await load()).show(config, '/v1/operator/changes'),
  );

  withConfig(headend, 'load', 'let a card fetch a load that was paid at your desk')
    .argument('<card>', 'card id')
    .argument('<name>', 'what you call this one; the same again changes nothing')
    .requiredOption('--amount <amount>', 'required: as in "10.00 USD"')
    .option('--credit-limit', 'set its line of credit to that instead')
    .action(
      async (
        card: string,
        name: string,
        options: ConfigOption & { readonly amount: string; readonly creditLimit?: true },
      ) => (await load()).grantLoad(card, name, options),
    );
  withConfig(headend, 'voucher', 'make vouchers for loads, and print their codes')
    .argument('[name]', 'what you call these; the same again makes no others, and prints the same codes')
    .requiredOption('--amount <amount>', 'required: of each, as in "10.00 USD"')
    .option('--count <n>', 'how many', wholeNumber(1, 10_000), 1)
    .action(
      async (name: string | undefined, options: ConfigOption & { readonly amount: string; readonly count: number }) =>
        (await load()).makeVouchers(name, options),
    );

  const operator = headend.command('operator').description('who may change what a head-end sells');
  withConfig(operator, 'add', 'add an operator, or give one a new token, which is told this once')
    .argument('<name>', 'letters, digits and . @ _ -')
    .action(async (name: string, { config }: ConfigOption) => (await load()).addOperator(name, config));
  withConfig(operator, 'remove', 'let an operator in no longer')
    .argument('<name>', 'its name')
    .action(async (name: string, { config }: ConfigOption) => (await load()).removeOperator(name, config));
}

function addServiceCommands(headend: Command): void {
  const service = headend.command('service').description('services that a head-end sells');
  withConfig(service, 'list', 'list services and what they have sent').action(async ({ config }: ConfigOption) =>
    (await load()).show(config, '/v1/operator/services'),
  );
  withConfig(service, 'put', 'sell a service, or sell it otherwise')
    .argument('<file>', 'its definition, as it stands in a configuration: YAML or JSON')
    .action(async (file: string, { config }: ConfigOption) => (await load()).putService(file, config));
  withConfig(service, 'remove', 'sell a service no longer')
    .argument('<number>', 'number of the service', parseNumber)
    .action(async (number: number, { config }: ConfigOption) =>
      (await load()).change(config, 'DELETE', `/v1/operator/services/${number}`),
    );

  const session = headend.command('session').description('multicast sessions of a service');
  withConfig(session, 'put', 'add a session to a service, or change it')
    .argument('<number>', 'number of the service', parseNumber)
    .argument('<file>', 'its definition: YAML or JSON')
    .action(async (number: number, file: string, { config }: ConfigOption) =>
      (await load()).putSession(number, file, config),
    );
  withConfig(session, 'remove', 'take a session out of its service')
    .argument('<number>', 'number of the service', parseNumber)
    .argument('<name>', 'name of the session')
    .action(async (number: number, name: string, { config }: ConfigOption) =>
      (await load()).change(config, 'DELETE', pathOf(number, name)),
    );
}

function addMemberCommands(headend: Command): void {
  const member = headend.command('member').description('cards that may decode a session');
  withConfig(member, 'list', 'list the members of all sessions, or of some')
    .argument('[number]', 'number of a service', parseNumber)
    .argument('[session]', 'name of one of its sessions')
    .action(async (number: number | undefined, name: string | undefined, { config }: ConfigOption) => {
      const some = number === undefined ? '' : `?service=${number}`;
      const isOne = number !== undefined && name !== undefined;
      await (await load()).show(config, isOne ? `${pathOf(number, name)}/members` : `/v1/operator/members${some}`);
    });
  withConfig(member, 'remove', 'take a card off the list of a session: it gets no further key')
    .argument('<number>', 'number of the service', parseNumber)
    .argument('<session>', 'name of the session')
    .argument('<card>', 'card id')
    .action(async (number: number, name: string, card: string, { config }: ConfigOption) =>
      (await load()).change(config, 'DELETE', `${pathOf(number, name)}/members/${encodeURIComponent(card)}`),
    );
  withConfig(member, 'block', 'block a card, as one that was stolen: off every list at once, and no answer any more')
    .argument('<card>', 'card id')
    .action(async (card: string, { config }: ConfigOption) =>
      (await load()).change(config, 'PUT', `/v1/operator/cards/${encodeURIComponent(card)}/block`),
    );
  withConfig(member, 'replace', 'replace a card that was lost, for good: another gets its user and what is left of it')
    .argument('<card>', 'id of the lost card')
    .argument('<new>', 'id of the new card, which its issuer has made')
    .action(async (card: string, newCard: string, { config }: ConfigOption) =>
      (await load()).replaceCard(card, newCard, config),
    );
  withConfig(member, 'replaced', 'list cards that were lost, and what becomes of what they had').action(
    async ({ config }: ConfigOption) => (await load()).show(config, '/v1/operator/replacements'),
  );
  withConfig(member, 'unblock', 'let a blocked card ask again')
    .argument('<card>', 'card id')
    .action(async (card: string, { config }: ConfigOption) =>
      (await load()).change(config, 'DELETE', `/v1/operator/cards/${encodeURIComponent(card)}/block`),
    );
}

function pathOf(number: number, session: string): string {
  return `/v1/operator/services/${number}/sessions/${encodeURIComponent(session)}`;
}
