import { type Command, Option } from 'commander';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import {
  CARD_ADDRESS_SYNTAX,
  type CardAddress,
  openCard,
  parseCardAddress,
} from '../../transport/card/card-address.ts';
import { tellCommands } from '../card/card-trace.ts';
import { writeAsTyped } from '../terminal/command-name.ts';

export interface CardOptions {
  readonly card: CardAddress;
  readonly wait?: true;
  readonly json?: true;
  readonly trace?: true;
}

/** Help for the `--json` of every command. */
const JSON_HELP = 'print one line of JSON; amounts in micro-units, 1000000 to the unit';

/** Flag and help of the `--trace` of every command that opens a card. */
export const TRACE_OPTION = [
  '--trace',
  'show each command and its answer on standard error, without what is secret',
] as const;

/** Adds the options of every command that opens one card and prints what comes of it. */
export function addCardOptions(command: Command): Command {
  return addOpenOptions(command).option('--json', JSON_HELP);
}

/** Adds the options of every command that opens one card. */
export function addOpenOptions(command: Command): Command {
  const address = new Option('--card <address>', CARD_ADDRESS_SYNTAX)
    .default({ kind: 'pcsc' } satisfies CardAddress, 'pcsc')
    .argParser(parseCardAddress);
  return command
    .addOption(address)
    .option('--wait', 'wait for the card')
    .option(...TRACE_OPTION);
}

/**
 * Opens the card, prints on standard error what it waits for, and closes the card whatever happens.
 * @param options with `create`, a soft card whose file is not there yet is a new one.
 */
export async function withCard<T>(
  options: CardOptions & { readonly create?: true },
  work: (channel: CardChannel) => Promise<T>,
): Promise<T> {
  const { card, wait, create, trace } = options;
  const opened = await openCard(card, { wait, create, onWaiting: printWaiting });
  const channel = trace === true ? tellCommands(opened, (line) => process.stderr.write(`${line}\n`)) : opened;
  try {
    return await work(channel);
  } finally {
    await channel.close();
  }
}

export function printWaiting(reason: Error): void {
  process.stderr.write(`tollcast: waiting: ${writeAsTyped(reason.message)}\n`);
}

export function print(options: { readonly json?: true }, json: unknown, lines: readonly string[]): void {
  process.stdout.write(
    options.json === true ? `${JSON.stringify(json)}\n` : writeAsTyped(lines.map((line) => `${line}\n`).join('')),
  );
}
