import type { Command } from 'commander';
import { type ConfigOption, withConfig } from '../headend/config-option.ts';
import { wholeNumber } from '../options/number-option.ts';
import { addDisputeCommands } from './billing-disputes.ts';
import { addInvoiceCommands } from './billing-invoices.ts';
import { addReconcileCommands } from './billing-reconcile.ts';
import { addSubscriptionCommands } from './billing-subscriptions.ts';

const parseNumber = wholeNumber(1, 0xffff_ffff);
const parseId = wholeNumber(1, Number.MAX_SAFE_INTEGER);

/** What only a head-end and its operators need is loaded with the first of their commands. */
const load = () => import('./billing-actions.ts');

interface JsonOption extends ConfigOption {
  readonly json?: true;
}

/** Options of an event that an operator enters. */
interface EventOptions extends JsonOption {
  readonly account?: string;
  readonly operator?: string;
  readonly service?: number;
  readonly amount: string;
  readonly note?: string;
}

/** Adds `tollcast billing` to the program. */
export function addBillingCommand(program: Command): void {
  const billing = program.command('billing').description('what is owed and was earned, by the ledger of a head-end');
  addReconcileCommands(billing);
  addInvoiceCommands(billing);
  addDisputeCommands(billing);
  addSubscriptionCommands(billing);
  withConfig(billing, 'report', 'show what each account has come to')
    .option('--account <name>', 'of this account alone, such as user:NAME, card:ID or revenue:SERVICE')
    .option('--json', 'print one line of JSON')
    .action(async (options: JsonOption & { readonly account?: string }) => (await load()).report(options));
  withConfig(billing, 'explain', 'follow an entry of the ledger to what it came from')
    .argument('<entry>', 'its number', parseId)
    .option('--json', 'print one line of JSON')
    .action(async (id: number, options: JsonOption) => (await load()).explain(id, options));
  withConfig(billing, 'export', 'write the lines of the ledger as CSV, for a spreadsheet')
    .option('--period <month>', 'of this month alone, 2026-11')
    .option('--account <name>', 'of this account alone')
    .action(async (options: ConfigOption & { readonly period?: string; readonly account?: string }) =>
      (await load()).exportLines(options),
    );
  addEvent(billing, 'payment', 'enter money that a user or provider paid', 'payments').requiredOption(
    '--account <name>',
    'required: who paid, user:NAME or provider:NAME',
  );
  addEvent(billing, 'refund', 'give back to a user something of what it owes for a service', 'refunds')
    .requiredOption('--account <name>', 'required: to whom, user:NAME')
    .requiredOption('--service <number>', 'required: number of the service', parseNumber);
  addEvent(billing, 'write-off', 'give up what a user owes', 'write-offs').requiredOption(
    '--account <name>',
    'required: whose debt, user:NAME',
  );
  addEvent(billing, 'settlement', "make a part of a service's revenue another operator's", 'settlements')
    .requiredOption('--operator <name>', 'required: the other operator')
    .requiredOption('--service <number>', 'required: number of the service', parseNumber);
  withConfig(billing, 'correct', 'take an entry back, by a further one')
    .argument('<entry>', 'its number', parseId)
    .requiredOption('--note <text>', 'required: why')
    .option('--json', 'print one line of JSON')
    .action(async (id: number, options: JsonOption & { readonly note: string }) => (await load()).correct(id, options));
  withConfig(billing, 'close', 'close a month and all before it, for good')
    .argument('<month>', 'as 2026-11')
    .action(async (period: string, { config }: ConfigOption) => (await load()).close(period, config));
}

function addEvent(billing: Command, name: string, description: string, path: string): Command {
  return withConfig(billing, name, description)
    .argument('<name>', 'what you call this one; the same again changes nothing')
    .requiredOption('--amount <money>', 'required: as "2.50 USD"')
    .option('--note <text>', 'why')
    .option('--json', 'print one line of JSON')
    .action(async (event: string, options: EventOptions) => (await load()).enter(path, event, options));
}
