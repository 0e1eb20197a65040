import type { Command } from 'commander';
import { type ConfigOption, withConfig } from '../headend/config-option.ts';
import { wholeNumber } from '../options/number-option.ts';

const parseNumber = wholeNumber(1, Number.MAX_SAFE_INTEGER);
const parseService = wholeNumber(1, 0xffff_ffff);

/** What only an operator needs is loaded with the first of these commands. */
const load = () => import('./invoice-actions.ts');

/** How an invoice is written. */
export interface FormOptions extends ConfigOption {
  readonly json?: true;
  readonly csv?: true;
  readonly html?: true;
}

/** Options of a credit note. */
export interface CreditOptions extends ConfigOption {
  readonly json?: true;
  readonly invoice: number;
  readonly service: number;
  readonly amount: string;
  readonly note: string;
}

/** Adds the commands of `tollcast billing` that issue invoices and show them. */
export function addInvoiceCommands(billing: Command): void {
  withConfig(billing, 'invoice', 'issue the invoices of a month that is closed; who has one gets no other')
    .argument('<month>', 'as 2026-11')
    .action(async (period: string, { config }: ConfigOption) => (await load()).issue(period, config));
  withConfig(billing, 'invoices', 'list invoices and credit notes')
    .option('--account <name>', 'of this account alone, user:NAME or provider:NAME')
    .option('--period <month>', 'of this month alone, 2026-11')
    .option('--csv', 'write their lines as CSV, for a spreadsheet')
    .option('--json', 'print one line of JSON')
    .action(async (options: FormOptions & { readonly account?: string; readonly period?: string }) =>
      (await load()).list(options),
    );
  withConfig(billing, 'show', 'show an invoice or a credit note')
    .argument('<number>', 'its number', parseNumber)
    .option('--html', 'write the page that people read and print')
    .option('--csv', 'write its lines as CSV, for a spreadsheet')
    .option('--json', 'print one line of JSON')
    .action(async (number: number, options: FormOptions) => (await load()).show(number, options));
  withConfig(billing, 'credit', 'take something of an invoice back, by a credit note')
    .argument('<name>', 'what you call this one; the same again changes nothing')
    .requiredOption('--invoice <number>', 'required: number of the invoice', parseNumber)
    .requiredOption('--service <number>', 'required: number of the service', parseService)
    .requiredOption('--amount <money>', 'required: as "2.50 USD"')
    .requiredOption('--note <text>', 'required: why')
    .option('--json', 'print one line of JSON')
    .action(async (name: string, options: CreditOptions) => (await load()).credit(name, options));
}
