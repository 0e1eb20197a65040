import type { Command } from 'commander';

/** The option of every command that has to do with a head-end that runs by a configuration. */
export interface ConfigOption {
  readonly config: string;
}

/** Adds a command with that option. */
export function withConfig(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .requiredOption('--config <file>', 'required: what is sold and how it is sent, YAML or JSON');
}
