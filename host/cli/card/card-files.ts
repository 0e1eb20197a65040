import type { Command } from 'commander';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { requestLoad, sendReceipts, takeAcknowledgement, takeLoad } from '../../holder/remote-load.ts';
import { readCardFile, writeCardFile } from '../options/card-file.ts';
import { addCardOptions, type CardOptions, print, withCard } from '../options/card-option.ts';

/** Adds the commands of `tollcast card` by which a card and an issuer that do not meet exchange files. */
export function addFileCommands(card: Command): void {
  addCardOptions(card.command('request-load').description('ask the issuer for a load: write the request to a file'))
    .argument('<request>', 'file that is written')
    .action(writeRequest);
  addCardOptions(card.command('take-load').description("carry out the issuer's order, and write the proof to a file"))
    .argument('<order>', 'file that the issuer sent')
    .argument('<proof>', 'file that is written, for the issuer')
    .action(carryOut);
  addCardOptions(card.command('send-receipts').description('write the receipts that the issuer lacks to a file'))
    .argument('<receipts>', 'file that is written')
    .action(writeReceipts);
  addCardOptions(card.command('take-acknowledgement').description('let the card forget what the issuer has'))
    .argument('<acknowledgement>', 'file that the issuer sent')
    .action(acknowledge);
}

async function writeRequest(path: string, options: CardOptions): Promise<void> {
  await withCard(options, async (channel) => {
    const file = await requestLoad(new DecodeModule(channel));
    await writeCardFile(path, file);
    const card = formatCardId(file.cardId);
    print(options, { card, request: path }, [
      `card ${card} asks for a load in ${path}; the issuer answers it: tollcast issuer answer-load`,
    ]);
  });
}

async function carryOut(orderPath: string, proofPath: string, options: CardOptions): Promise<void> {
  const order = await readCardFile(orderPath, 'load order');
  await withCard(options, async (channel) => {
    const module = new DecodeModule(channel);
    const proof = await takeLoad(module, order);
    await writeCardFile(proofPath, proof);
    const card = formatCardId(proof.cardId);
    const { balance } = await module.getPurse();
    print(options, { card, proof: proofPath, balance: Number(balance) }, [
      `card ${card} has carried out the order; the issuer takes the proof in ${proofPath}: tollcast issuer take-proof`,
    ]);
  });
}

async function writeReceipts(path: string, options: CardOptions): Promise<void> {
  await withCard(options, async (channel) => {
    const file = await sendReceipts(new DecodeModule(channel));
    await writeCardFile(path, file);
    const card = formatCardId(file.cardId);
    const count = file.messages.length;
    print(options, { card, file: path, receipts: count }, [
      `card ${card}: ${count} ${count === 1 ? 'receipt' : 'receipts'} in ${path}; ` +
        'the issuer takes them: tollcast issuer take-receipts',
    ]);
  });
}

async function acknowledge(path: string, options: CardOptions): Promise<void> {
  const file = await readCardFile(path, 'acknowledgement');
  await withCard(options, async (channel) => {
    const { cardId, left } = await takeAcknowledgement(new DecodeModule(channel), file);
    const card = formatCardId(cardId);
    print(options, { card, receiptsDue: left }, [`card ${card}: ${left} receipts are left for the issuer`]);
  });
}
