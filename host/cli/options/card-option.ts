import { type Command, Option } from 'commander';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import {
  CARD_ADDRESS_SYNTAX,
  type CardAddress,
  openCard,
  parseCardAddress,
} from '../../transport/card/card-address.ts';

export interface CardOptions {
  readonly card: CardAddress;
  readonly wait?: true;
  readonly json?: true;
}

/** Help for the `--json` of every command. */
const JSON_HELP = 'print one line of JSON; amounts in micro-units, 1000000 to the unit';

/** Adds the options of every command that opens one card. */
export function addCardOptions(command: Command): Command {
  const address = new Option('--card <address>', CARD_ADDRESS_SYNTAX)
    .default({ kind: 'pcsc' } satisfies CardAddress, 'pcsc')
    .argParser(parseCardAddress);
  return command.addOption(address).option('--wait', 'wait for the card').option('--json', JSON_HELP);
}

/**
 * Opens the card, prints on standard error what it waits for, and closes the card whatever happens.
 * @param options with `create`, a soft card whose file is not there yet is a new one.
 */
export async function withCard<T>(
  options: CardOptions & { readonly create?: true },
  work: (channel: CardChannel) => Promise<T>,
): Promise<T> {
  const { card, wait, create } = options;
  const channel = await openCard(card, { wait, create, onWaiting: printWaiting });
  try {
    return await work(channel);
  } finally {
    await channel.close();
  }
}

export function printWaiting(reason: Error): void {
  process.stderr.write(`tollcast: waiting: ${reason.message}\n`);
}

export function print(options: { readonly json?: true }, json: unknown, lines: readonly string[]): void {
  process.stdout.write(options.json === true ? `${JSON.stringify(json)}\n` : lines.map((line) => `${line}\n`).join(''));
}
