import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { EXIT_MEANINGS, EXIT_STATUS } from '../../apdu/error-codes.ts';
import { addAttackCommand } from './attack/attack-command.ts';
import { addCardCommand } from './card/card-command.ts';
import { addHeadendCommand } from './headend/headend-command.ts';
import { addIssuerCommand } from './issuer/issuer-command.ts';
import { reportError } from './terminal/error-report.ts';
import { addWatchCommand } from './watch/watch-command.ts';

// Each group of commands has a file of its own that adds it to the program.
const GROUPS = [addAttackCommand, addCardCommand, addHeadendCommand, addIssuerCommand, addWatchCommand];

const EXIT_STATUSES = EXIT_MEANINGS.map((meaning, status) => `  ${status}  ${meaning}`);

const program = new Command('tollcast')
  .description('a smart card takes the toll for a pay stream')
  .version(version())
  .option('--debug', 'show where an error comes from')
  .addHelpText('after', `\nExit status:\n${EXIT_STATUSES.join('\n')}`)
  .exitOverride()
  // Commander's own words are reported below, as every error is.
  .configureOutput({ outputError: () => {} });
for (const add of GROUPS) add(program);

// A reader of our output that has seen enough, as `head` does, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  process.stderr.write(`tollcast: standard output cannot be written (${error.code}); what was done is done\n`);
  process.exit(EXIT_STATUS.failure);
});

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = reportError(error, {
    // Also where the words before it could not be read.
    json: process.argv.includes('--json'),
    debug: program.opts<{ debug?: true }>().debug === true,
  });
}

// What a transport or a source still holds open need not be waited for; what was printed must.
process.stdout.write('', (error) => {
  if (error === undefined || error === null) process.exit();
});

function version(): string {
  const described: unknown = JSON.parse(readFileSync(new URL(import.meta.resolve('tollcast/package.json')), 'utf8'));
  const known = typeof described === 'object' && described !== null && 'version' in described;
  return known ? String(described.version) : 'unknown';
}
