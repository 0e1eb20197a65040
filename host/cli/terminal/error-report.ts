import { CommanderError } from 'commander';
import { TollcastError } from '../../../apdu/errors.ts';
import { isDiskFull } from '../../store/sqlite-error.ts';
import { writeAsTyped } from './command-name.ts';

/** How errors are shown. */
interface ReportOptions {
  readonly json: boolean;
  /** Whether to show where the error comes from. */
  readonly debug: boolean;
  /** What shows the help of the command that was typed. */
  readonly help: string;
}

/**
 * Prints on standard error what went wrong: one line for people, or one line of JSON.
 * @returns the exit status, 0 to 8; it is 0 after `--help` and `--version`.
 */
export function reportError(error: unknown, { json, debug, help }: ReportOptions): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  const { code, message, exitStatus } = asTollcastError(error, help);
  if (debug) console.error(error);
  process.stderr.write(
    json ? `${JSON.stringify({ error: { code, message, exitStatus } })}\n` : `tollcast: ${message}\n`,
  );
  return exitStatus;
}

/** Turns any error into one of the catalogue, with its message on one line. */
function asTollcastError(error: unknown, help: string): TollcastError {
  const message = writeAsTyped(oneLine(error instanceof Error ? error.message : String(error)));
  const options = { cause: error };
  if (error instanceof TollcastError) return new TollcastError(error.code, message, options);
  if (error instanceof CommanderError && error.code === 'commander.help') {
    return new TollcastError('USAGE', 'no command is named; write one of those above', options);
  }
  if (error instanceof CommanderError) {
    const what = message.replace(/^error: |\.$/g, '');
    const saysWhat = /\(Did you mean|Allowed choices are|; /.test(what);
    return new TollcastError('USAGE', saysWhat ? what : `${what}; see: ${help}`, options);
  }
  // The message of the system names the path.
  if (error instanceof Error && ('syscall' in error || isDiskFull(error))) {
    const advice = isDiskFull(error)
      ? 'free some room on the disk, and try again'
      : 'check that it is there, and that it may be read and written';
    return new TollcastError('SYSTEM', `${message}; ${advice}`, options);
  }
  if (error instanceof Error && 'code' in error && error.code === 'ERR_SQLITE_ERROR') {
    const advice = 'check that it may be written, and that its disk has room';
    return new TollcastError('STORE_FAILED', `the issuer store failed: ${message}; ${advice}`, options);
  }
  return new TollcastError('UNEXPECTED', `unexpected error: ${message}; --debug shows where it happened`, options);
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, ' ');
}
