import type { Command } from 'commander';
import { InputError } from '../../../apdu/errors.ts';
import { parseCommand } from '../../../apdu/iso7816/command-apdu.ts';
import { fromHex } from '../../../apdu/octets.ts';
import { DEFAULT_STORE } from '../../issuer/keys/key-store.ts';
import { addCardOptions, addOpenOptions } from '../options/card-option.ts';
import { decimalNumber, wholeNumber } from '../options/number-option.ts';
import { runShell } from '../shell/card-shell.ts';
import { addPassphraseOptions } from '../terminal/passphrase.ts';
import { runCommands } from './card-apdu.ts';
import { benchCard, parseChipName, parseSpan } from './card-bench.ts';
import { addDeliverCommand } from './card-deliver.ts';
import { addFileCommands } from './card-files.ts';
import { addHolderCommands } from './card-holder.ts';
import { showCard } from './card-info.ts';
import { listCards } from './card-list.ts';
import { addLoadCommand } from './card-load.ts';
import { showLog } from './card-log.ts';

/** Adds `tollcast card` with its commands to the program. */
export function addCardCommand(program: Command): void {
  const card = program.command('card').description('show readers and cards, talk to a card');

  card
    .command('list')
    .description('show readers, their cards, and which of those are decode modules')
    .option('--wait', 'wait until there is a card')
    .option('--json', 'print one line of JSON')
    .action(listCards);

  addCardOptions(card.command('info').description('show the state of a decode module')).action(showCard);

  addCardOptions(card.command('log').description('show what happened to the purse of a card; ends its open session'))
    .option('--last <n>', 'how many records to show, the newest first', wholeNumber(1, 64), 64)
    .action(showLog);
  addHolderCommands(card);
  addFileCommands(card);
  addDeliverCommand(card);
  addLoadCommand(card);
  addCardOptions(card.command('apdu').description('send commands as they are and show the answers in plain text'))
    .argument('<command...>', 'hexadecimal, as in "00 A4 04 00"', collectCommand)
    .action(runCommands);
  addOpenOptions(card.command('shell').description('ask a card one thing after the other, in words or hexadecimal'))
    .addHelpText('after', '\nWhat is typed is kept in a private file, but for lines with a PIN or a key.')
    .action(runShell);

  const bench = card
    .command('bench')
    .description('measure how fast a card of yours is, and say what could not be measured; leaves no key behind');
  addPassphraseOptions(addCardOptions(bench))
    .option(
      '--span <octets>',
      'span of the groups it opens (default: 16, 32, 64 and 208, one after the other)',
      parseSpan,
    )
    .option('--seconds <n>', 'time of each measurement', decimalNumber(0.1, 600), 3)
    .option('--store <directory>', 'the issuer store that made the card', DEFAULT_STORE)
    .option('--takes', 'measure groups that are paid for, too: 20 millionths of the currency, and a receipt is left')
    .option('--pin', 'present the PIN of the card, which is typed or in TOLLCAST_PIN')
    .option('--pin-file <file>', 'present the PIN in this file')
    .option('--profile <file>', 'write a profile of the chip, without the card id, to this file')
    .option('--name <text>', 'what the profile calls chip and reader (default: the ATR)', parseChipName)
    .addHelpText('after', '\nEach run uses up one grant number of the card. Without --takes it charges nothing.')
    .action(benchCard);
}

/** Adds a command APDU to those before it. @throws InputError when the text is not one. */
function collectCommand(text: string, before: readonly Uint8Array[] | undefined): Uint8Array[] {
  const command = fromHex(text);
  try {
    parseCommand(command);
  } catch (cause) {
    throw new InputError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
  return [...(before ?? []), command];
}
