import { Command } from 'commander';
import { EXIT_MEANINGS, EXIT_STATUS } from '../../apdu/error-codes.ts';
import { addAttackCommand } from './attack/attack-command.ts';
import { addBillCommand } from './billing/bill-command.ts';
import { addBillingCommand } from './billing/billing-command.ts';
import { addCardCommand } from './card/card-command.ts';
import { addChannelsCommand } from './channels/channels-command.ts';
import { addHeadendCommand } from './headend/headend-command.ts';
import { addIssuerCommand } from './issuer/issuer-command.ts';
import { addRelayCommand } from './relay/relay-command.ts';
import { readCommandName } from './terminal/command-name.ts';
import { endProcess } from './terminal/end-process.ts';
import { takeSecrets } from './terminal/environment-secrets.ts';
import { reportError } from './terminal/error-report.ts';
import { findHelp } from './terminal/find-help.ts';
import { readVersion } from './version.ts';
import { addWatchCommand } from './watch/watch-command.ts';

takeSecrets();

// The file of each group of commands adds it to the program.
const GROUPS = [
  addAttackCommand,
  addBillCommand,
  addBillingCommand,
  addCardCommand,
  addChannelsCommand,
  addHeadendCommand,
  addIssuerCommand,
  addRelayCommand,
  addWatchCommand,
];

const EXIT_STATUSES = EXIT_MEANINGS.map((meaning, status) => `  ${status}  ${meaning}`);

const program = new Command(readCommandName())
  .description('a smart card takes the toll for a pay stream')
  .version(readVersion())
  .option('--debug', 'show where an error comes from')
  .addHelpText('after', `\nExit status:\n${EXIT_STATUSES.join('\n')}`)
  .exitOverride()
  // What commander has to say is thrown too, and reported below.
  .configureOutput({ outputError: () => {} });
for (const add of GROUPS) add(program);

// A program that stops reading our output early, as `head` does, is not a failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  process.stderr.write(`tollcast: standard output cannot be written (${error.code}); what was done is done\n`);
  process.exit(EXIT_STATUS.failure);
});

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = reportError(error, {
    // Read from the arguments, as commander may have failed before it came to this option.
    json: process.argv.includes('--json'),
    debug: program.opts<{ debug?: true }>().debug === true,
    help: findHelp(program, process.argv.slice(2)),
  });
}

// Wait until everything is printed, but not for what a transport or a source still holds open.
process.stdout.write('', (error) => {
  if (error === undefined || error === null) void endProcess();
});
