import { deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import { signAcknowledgement } from '../../../apdu/decode-module/money/acknowledgement.ts';
import type { Receipt } from '../../../apdu/decode-module/money/receipt.ts';
import { RECEIPT } from '../../../apdu/layout/money.ts';
import { type CardFile, messagesOf } from '../../contract/card-files/card-file.ts';
import type { Accounts, IssuedCard } from '../cards/accounts.ts';
import { findAccount } from '../cards/issued-card.ts';
import type { KeyStore } from '../keys/key-store.ts';
import { keepReceipts } from './receipts.ts';

/** Keys and accounts; the receipt master is enough. */
interface ReceiptContext {
  readonly keys: Pick<KeyStore, 'open'>;
  readonly accounts: Accounts;
}

/**
 * Checks and keeps the receipts of a card that is elsewhere; those that came before may come again.
 * @returns those that were new.
 * @throws what {@link keepReceipts} throws; IssuerError `WRONG_ISSUER`, `NOT_IN_ACCOUNTS`.
 */
export async function takeReceipts(
  { keys, accounts }: ReceiptContext,
  file: CardFile,
): Promise<{ card: IssuedCard; receipts: readonly Receipt[] }> {
  const octets = messagesOf(file, 'receipt');
  const card = await findAccount(RECEIPT.decode(octets[0]!).cardId, accounts);
  const receiptKey = deriveCardKey(await keys.open('receipt'), 'receipt', card.cardId);
  return { card, receipts: await keepReceipts(accounts, card, octets, receiptKey, { mayRepeat: true }) };
}

/** Answers the receipts of a card that is elsewhere: it may forget those that are kept here. */
export async function acknowledgeReceipts(context: ReceiptContext, card: IssuedCard): Promise<CardFile> {
  return { kind: 'acknowledgement', cardId: card.cardId, messages: [await acknowledge(context, card)] };
}

/** The acknowledgement of all receipts that are kept. */
export async function acknowledge(
  { keys, accounts }: ReceiptContext,
  { cardId }: IssuedCard,
): Promise<{ name: 'acknowledgement'; octets: Uint8Array }> {
  const { last } = await accounts.receiptTotals(cardId);
  const key = deriveCardKey(await keys.open('receipt'), 'acknowledgement', cardId);
  return { name: 'acknowledgement', octets: signAcknowledgement(cardId, last, key) };
}
