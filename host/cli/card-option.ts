import { type Command, Option } from 'commander';
import type { CardChannel } from '../../apdu/card-channel.ts';
import { CARD_ADDRESS_SYNTAX, type CardAddress, openCard, parseCardAddress } from '../transport/card-address.ts';

export interface CardOptions {
  readonly card: CardAddress;
  readonly wait?: true;
  readonly json?: true;
}

/** The options of every command that opens one card. */
export function addCardOptions(command: Command): Command {
  const address = new Option('--card <address>', CARD_ADDRESS_SYNTAX)
    .default({ kind: 'pcsc' } satisfies CardAddress, 'pcsc')
    .argParser(parseCardAddress);
  return command.addOption(address).option('--wait', 'wait for the card').option('--json', 'print one line of JSON');
}

/** Opens the card, says on standard error what it waits for, and closes the card whatever happens. */
export async function withCard<T>(options: CardOptions, work: (channel: CardChannel) => Promise<T>): Promise<T> {
  const channel = await openCard(options.card, { wait: options.wait, onWaiting: sayWaiting });
  try {
    return await work(channel);
  } finally {
    await channel.close();
  }
}

export function sayWaiting(reason: Error): void {
  process.stderr.write(`tollcast: waiting: ${reason.message}\n`);
}

export function print(options: { readonly json?: true }, json: unknown, lines: readonly string[]): void {
  process.stdout.write(options.json === true ? `${JSON.stringify(json)}\n` : lines.map((line) => `${line}\n`).join(''));
}
