import type { Command } from 'commander';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { deliverReceipts } from '../../holder/receipts/deliver-receipts.ts';
import { addCardOptions, type CardOptions, print, withCard } from '../options/card-option.ts';
import { parseHeadEnd } from '../options/head-end-option.ts';
import { findHeadEnd, postToHeadEnd } from './known-head-end.ts';

interface DeliverOptions extends CardOptions {
  readonly headEnd: URL;
}

/** Adds the command that delivers the receipts of a card to a head-end. */
export function addDeliverCommand(card: Command): void {
  addCardOptions(
    card
      .command('deliver-receipts')
      .description('deliver the receipts of a card to a head-end; watch does it by itself')
      .requiredOption('--head-end <url>', 'required: its address, as in https://tv.example:8443', parseHeadEnd),
  ).action(deliver);
}

async function deliver({ headEnd, ...options }: DeliverOptions): Promise<void> {
  await withCard(options, async (channel) => {
    const module = new DecodeModule(channel);
    const { cardId } = await module.select();
    const known = await findHeadEnd(headEnd, module);
    const delivered = await deliverReceipts((work) => work(module), postToHeadEnd(known, '/v1/receipts'));
    const { receiptsDue } = await module.getPurse();
    const name = formatCardId(cardId);
    print(options, { card: name, delivered, receiptsDue }, [
      `card ${name}: ${delivered} ${delivered === 1 ? 'receipt' : 'receipts'} delivered to ${headEnd.origin}`,
    ]);
  });
}
