import type { Command } from 'commander';
import { type ConfigOption, withConfig } from '../headend/config-option.ts';
import { wholeNumber } from '../options/number-option.ts';

const parseNumber = wholeNumber(1, Number.MAX_SAFE_INTEGER);

/** What only an operator needs is loaded with the first of these commands. */
const load = () => import('./dispute-actions.ts');

/** Options of a ruling. */
export interface RulingOptions extends ConfigOption {
  readonly json?: true;
  readonly note: string;
  readonly amount?: string;
}

/** Adds the commands of `tollcast billing` that take disputes, and rule them. */
export function addDisputeCommands(billing: Command): void {
  withConfig(billing, 'dispute', 'dispute an entry of the ledger, such as a line of an invoice')
    .argument('<entry>', 'its number', parseNumber)
    .argument('<reason>', 'why')
    .option('--json', 'print one line of JSON')
    .action(async (entry: number, reason: string, options: ConfigOption & { readonly json?: true }) =>
      (await load()).dispute(entry, reason, options),
    );
  withConfig(billing, 'disputes', 'list disputes')
    .option('--open', 'those alone that are not ruled')
    .option('--json', 'print one line of JSON')
    .action(async (options: ConfigOption & { readonly json?: true; readonly open?: true }) =>
      (await load()).list(options),
    );
  withConfig(billing, 'uphold', 'uphold a dispute: what the entry came to is given back by a further one')
    .argument('<dispute>', 'its number', parseNumber)
    .option('--amount <money>', 'what is given back, as "2.50 USD" (default: all of the entry)')
    .requiredOption('--note <text>', 'required: why')
    .option('--json', 'print one line of JSON')
    .action(async (id: number, options: RulingOptions) => (await load()).rule(id, 'upheld', options));
  withConfig(billing, 'reject', 'reject a dispute: the entry is right')
    .argument('<dispute>', 'its number', parseNumber)
    .requiredOption('--note <text>', 'required: why')
    .option('--json', 'print one line of JSON')
    .action(async (id: number, options: RulingOptions) => (await load()).rule(id, 'rejected', options));
}
