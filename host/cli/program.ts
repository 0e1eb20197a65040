import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { OutOfRangeError, TollcastError } from '../../apdu/errors.ts';
import { addAttackCommand } from './attack/attack-command.ts';
import { addCardCommand } from './card/card-command.ts';
import { addHeadendCommand } from './headend/headend-command.ts';
import { addIssuerCommand } from './issuer/issuer-command.ts';
import { addWatchCommand } from './watch/watch-command.ts';

// Each group of commands has a file of its own that adds it to the program.
const GROUPS = [addAttackCommand, addCardCommand, addHeadendCommand, addIssuerCommand, addWatchCommand];

const FAILED = 1;
const USAGE = 2;

/** True once a command runs: what fails before is the command line. */
let running = false;

const program = new Command('tollcast')
  .description('a smart card takes the toll for a pay stream')
  .version(version())
  .option('--debug', 'show where an error comes from')
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(`${oneLine(text.replace(/^error: /, ''))}\n`) })
  .hook('preAction', () => {
    running = true;
  });
for (const add of GROUPS) add(program);

// A reader of our output that has seen enough, as `head` does, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  process.stderr.write(`tollcast: standard output cannot be written (${error.code}); what was done is done\n`);
  process.exit(FAILED);
});

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

// What a transport or a source still holds open need not be waited for; what was printed must.
process.stdout.write('', (error) => {
  if (error === undefined || error === null) process.exit();
});

/** One line for people; the exit status for programs. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE; // commander has said it already
  if (program.opts<{ debug?: true }>().debug === true) console.error(error);
  else process.stderr.write(`${oneLine(describe(error))}\n`);
  // A value out of its range is one that was typed, also where only the command itself could tell.
  return running && !(error instanceof OutOfRangeError) ? FAILED : USAGE;
}

function describe(error: unknown): string {
  if (error instanceof TollcastError) return error.message;
  if (error instanceof Error && 'code' in error) {
    // What the system refuses is named by it, with the path.
    if ('syscall' in error) return `${error.message}; check that it is there, and that it may be read and written`;
    if (error.code === 'ERR_SQLITE_ERROR')
      return `the issuer store: ${error.message}; check that it may be written, and its disk`;
  }
  return `${error instanceof Error ? error.message : String(error)}; this was not foreseen: --debug shows where it happened`;
}

function oneLine(text: string): string {
  return `tollcast: ${text.trim().replaceAll(/\s*\n\s*/g, ' ')}`;
}

function version(): string {
  const described: unknown = JSON.parse(readFileSync(new URL(import.meta.resolve('tollcast/package.json')), 'utf8'));
  const known = typeof described === 'object' && described !== null && 'version' in described;
  return known ? String(described.version) : 'unknown';
}
