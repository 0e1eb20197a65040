import type { Command } from 'commander';
import { type Price, parsePrice } from '../../money/price.ts';

/** What was said on the command line about the prices that may be paid. */
export interface PriceOptions {
  /** Nothing above them is paid; one for each unit. */
  readonly maxPrice: readonly Price[];
  /** Whether what is within them, or anything when there are none, is paid without asking. */
  readonly yes?: true;
}

/** Adds the options of every command that pays for a stream. */
export function addPriceOptions(command: Command): Command {
  return command
    .option(
      '--max-price <price>',
      'pay up to this price without asking, and nothing above it: "0.25 USD/MB", "2.00 USD/h", "1.50 USD/segment"; ' +
        'may be repeated, one for each unit',
      (text: string, before: readonly Price[]) => [...before, parsePrice(text)],
      [],
    )
    .option('--yes', 'pay the price that is shown, and a higher one later, without asking');
}
