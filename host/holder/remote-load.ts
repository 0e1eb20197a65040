import { formatCardId } from '../../apdu/decode-module/card-id.ts';
import type { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import { TollcastError } from '../../apdu/errors.ts';
import { ACKNOWLEDGEMENT, LOAD_ORDER } from '../../apdu/layout/money.ts';
import { equalTags } from '../../apdu/octets.ts';
import { type CardFile, messagesOf } from '../contract/card-files/card-file.ts';
import { requirePurseShown, selectActive } from './life.ts';

/**
 * Has a card ask for a load: its load request, and the receipts that its issuer has not acknowledged, as a soft module
 * is given credit against them. Nothing changes on the card, so it can be asked again.
 * @throws TollcastError `CARD_NOT_ACTIVE`.
 */
export async function requestLoad(module: DecodeModule): Promise<CardFile> {
  const { cardId } = await selectActive(module);
  const request = { name: 'load-request', octets: await module.startLoad() } as const;
  return { kind: 'load request', cardId, messages: [request, ...(await readReceipts(module))] };
}

/**
 * Has a card carry out the order of its issuer. Carried out before, it only gives the proof again.
 * @returns the proof for the issuer.
 * @throws TollcastError `CARD_NOT_ACTIVE`, `FOREIGN_FILE` for the order of another card, `STALE_FILE` for one that came
 *   before the card's last, or that another one comes before.
 * @throws ModuleError when the card refuses.
 */
export async function takeLoad(module: DecodeModule, file: CardFile): Promise<CardFile> {
  const { cardId } = await selectActive(module);
  const [order] = messagesOf(file, 'load-order');
  const { cardId: orderedFor, number } = LOAD_ORDER.decode(order!);
  requireOwn(cardId, orderedFor);
  for (const acknowledgement of messagesOf(file, 'acknowledgement')) {
    requireOwn(cardId, ACKNOWLEDGEMENT.decode(acknowledgement).cardId);
    await module.acknowledgeReceipts(acknowledgement);
  }
  const { loadNumber } = await module.getPurse();
  if (number < loadNumber || number > loadNumber + 1) {
    const why = number < loadNumber ? 'the card has carried out a later one since' : 'the one before it is missing';
    throw new TollcastError(
      'STALE_FILE',
      `this is order ${number} of card ${formatCardId(cardId)}, and ${why}; ask anew: tollcast card request-load`,
    );
  }
  const proof = await module.loadCredit(order!);
  return { kind: 'load proof', cardId, messages: [{ name: 'load-proof', octets: proof }] };
}

/**
 * Collects for the issuer the receipts that it has not acknowledged. They stay on the card.
 * @throws TollcastError `CARD_NOT_ACTIVE`, `NO_RECEIPTS`.
 */
export async function sendReceipts(module: DecodeModule): Promise<CardFile> {
  const answer = await module.select();
  requirePurseShown(answer);
  const messages = await readReceipts(module);
  if (messages.length > 0) return { kind: 'receipts', cardId: answer.cardId, messages };
  throw new TollcastError('NO_RECEIPTS', 'the issuer has all receipts of this card; there is nothing to send');
}

/**
 * Lets a card forget the receipts that its issuer says to have. An acknowledgement may come again, or late.
 * @throws TollcastError `CARD_NOT_ACTIVE`, `FOREIGN_FILE`; ModuleError when it is not the issuer's.
 */
export async function takeAcknowledgement(
  module: DecodeModule,
  file: CardFile,
): Promise<{ cardId: Uint8Array; left: number }> {
  const answer = await module.select();
  requirePurseShown(answer);
  const [acknowledgement] = messagesOf(file, 'acknowledgement');
  requireOwn(answer.cardId, ACKNOWLEDGEMENT.decode(acknowledgement!).cardId);
  await module.acknowledgeReceipts(acknowledgement!);
  return { cardId: answer.cardId, left: (await module.getPurse()).receiptsDue };
}

async function readReceipts(module: DecodeModule): Promise<CardFile['messages']> {
  const { receiptsAcknowledged, receiptsWritten } = await module.getPurse();
  const messages: { name: 'receipt'; octets: Uint8Array }[] = [];
  for (let number = receiptsAcknowledged + 1; number <= receiptsWritten; number++) {
    messages.push({ name: 'receipt', octets: await module.getReceipt(number) });
  }
  return messages;
}

/** The card would refuse it too, without a word on why. */
function requireOwn(cardId: Uint8Array, named: Uint8Array): void {
  if (equalTags(cardId, named)) return;
  throw new TollcastError(
    'FOREIGN_FILE',
    `this is for card ${formatCardId(named)}, and ${formatCardId(cardId)} is here; insert the other card`,
  );
}
