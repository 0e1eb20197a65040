import type { Command } from 'commander';
import { addPassphraseOptions, type PassphraseOptions } from '../terminal/passphrase.ts';
import { type ConfigOption, withConfig } from './config-option.ts';

/** What only a head-end needs is loaded with the first of its commands. */
const load = () => import('./serve-actions.ts');

/** Adds the commands that run a head-end by its configuration. */
export function addServeCommands(headend: Command): void {
  addPassphraseOptions(withConfig(headend, 'serve', 'send and sell the services of a configuration')).action(
    async (options: ConfigOption & PassphraseOptions) => (await load()).serve(options),
  );
  withConfig(headend, 'check', 'check a configuration').action(async (options: ConfigOption) =>
    (await load()).check(options),
  );
  withConfig(headend, 'backup', 'copy the database of a head-end, also while it is in use')
    .argument('<file>', 'the copy; it is not there yet')
    .action(async (file: string, options: ConfigOption) => (await load()).backUp(file, options));
}
