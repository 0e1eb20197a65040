import type { Command } from 'commander';
import { type ConfigOption, withConfig } from '../headend/config-option.ts';
import { wholeNumber } from '../options/number-option.ts';

/** What only an operator needs is loaded with the first of these commands. */
const load = () => import('../headend/operator-actions.ts');

const METHODS = { subscribe: 'PUT', unsubscribe: 'DELETE' } as const;

/** Which subscriptions, and how they are told. */
export interface SubscriptionsOptions extends ConfigOption {
  readonly service?: number;
  readonly user?: string;
  readonly json?: true;
}

/** Adds the commands of `tollcast billing` that subscribe users to services. */
export function addSubscriptionCommands(billing: Command): void {
  addCommand(billing, 'subscribe', 'let a user owe the price per period of a service, whether it joins or not');
  addCommand(billing, 'unsubscribe', 'end that: periods that begin later are not owed');
  withConfig(billing, 'subscriptions', 'list who is and was subscribed, and at what price')
    .option('--service <number>', 'of this service alone', wholeNumber(1, 0xffff_ffff))
    .option('--user <name>', 'of this user alone')
    .option('--json', 'print one line of JSON')
    .action(async (options: SubscriptionsOptions) => (await import('./billing-actions.ts')).listSubscriptions(options));
}

function addCommand(billing: Command, name: keyof typeof METHODS, description: string): void {
  withConfig(billing, name, description)
    .argument('<name>', 'name of the user, as in its account user:NAME')
    .requiredOption('--service <number>', 'required: number of the service', wholeNumber(1, 0xffff_ffff))
    .action(async (user: string, { service, config }: ConfigOption & { readonly service: number }) =>
      (await load()).change(
        config,
        METHODS[name],
        `/v1/operator/billing/subscriptions/${service}/${encodeURIComponent(user)}`,
      ),
    );
}
