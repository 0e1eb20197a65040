import { decodeCardId, formatCardId } from '../../../apdu/decode-module/card-id.ts';
import type { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import { signAcknowledgement } from '../../../apdu/decode-module/money/acknowledgement.ts';
import { openReceipt, type Receipt, RECEIPT_RING } from '../../../apdu/decode-module/money/receipt.ts';
import { equalTags } from '../../../apdu/octets.ts';
import type { Accounts, IssuedCard } from '../cards/accounts.ts';
import { findIssuedCard, OUT_OF_USE } from '../cards/issued-card.ts';
import { IssuerError } from '../issuer-error.ts';
import type { KeyStore } from '../keys/key-store.ts';

export interface Collection {
  readonly cardId: Uint8Array;
  /** ISO 4217 number. */
  readonly currency: number;
  /** Receipts that were new to the accounts, in their order. */
  readonly receipts: readonly Receipt[];
}

/**
 * Fetches the receipts that a card still holds, checks and keeps them, and only then lets the card forget them.
 * Needs the receipt master alone. It can be repeated wherever it was interrupted.
 * A soft module whose receipts do not follow from each other is withdrawn.
 *
 * @throws IssuerError those of {@link findIssuedCard} and {@link KeyStore.open}, and `ACCOUNTS_BEHIND`,
 *   `CARD_ROLLED_BACK`, `RECEIPTS_DISAGREE`.
 * @throws ForgedError when a receipt is not under the card's own key.
 */
export async function collectReceipts(module: DecodeModule, keys: KeyStore, accounts: Accounts): Promise<Collection> {
  const { card } = await findIssuedCard(module, accounts, ['active', 'blocked', 'terminated']);
  const { cardId, currency } = card;
  const master = await keys.open('receipt');
  const receiptKey = deriveCardKey(master, 'receipt', cardId);
  // What GET PURSE says is not signed: it only tells which receipts to ask for, 32 at most.
  const { receiptsWritten: written, receiptsAcknowledged: acknowledged } = await module.getPurse();
  const { last } = await accounts.receiptTotals(cardId);
  if (written < last) {
    throw new IssuerError(
      'CARD_ROLLED_BACK',
      `card ${formatCardId(cardId)} has ${written} receipts, ${last} were collected: ` +
        `it is a copy, or an old state put back; ${OUT_OF_USE}`,
    );
  }
  if (written - last > RECEIPT_RING) {
    throw new IssuerError(
      'ACCOUNTS_BEHIND',
      `card ${formatCardId(cardId)} let go of receipts that these accounts never had; put the newest copy of them back`,
    );
  }
  const fetched: Uint8Array[] = [];
  for (let number = last + 1; number <= written; number++) fetched.push(await module.getReceipt(number));
  let receipts: Receipt[];
  try {
    receipts = await accounts.transaction(async (inside) => {
      const kept: Receipt[] = [];
      for (const octets of fetched) kept.push(await keepReceipt(inside, card, openReceipt(octets, receiptKey), octets));
      return kept;
    });
  } catch (error) {
    const disagreed = error instanceof IssuerError && error.code === 'RECEIPTS_DISAGREE';
    if (disagreed && decodeCardId(cardId).moduleClass === 'soft') await accounts.withdraw(cardId);
    throw error;
  }
  if (written > acknowledged) {
    await module.acknowledgeReceipts(
      signAcknowledgement(cardId, written, deriveCardKey(master, 'acknowledgement', cardId)),
    );
  }
  return { cardId, currency, receipts };
}

/**
 * Collects the new receipts of an active soft module of these accounts, and does nothing with any other card. A soft
 * module gets credit only against its receipts, so this comes before every order.
 * @throws what {@link collectReceipts} throws.
 */
export async function collectSoftReceipts(module: DecodeModule, keys: KeyStore, accounts: Accounts): Promise<void> {
  const { cardId, life } = await module.select();
  if (life !== 'active' || decodeCardId(cardId).moduleClass !== 'soft') return;
  if ((await accounts.card(cardId)) === undefined) return;
  const { receiptsWritten } = await module.getPurse();
  const { last } = await accounts.receiptTotals(cardId);
  if (receiptsWritten > last) await collectReceipts(module, keys, accounts);
}

/** @throws IssuerError `RECEIPTS_DISAGREE` when the receipt does not follow from those before it. */
async function keepReceipt(
  accounts: Accounts,
  card: IssuedCard,
  receipt: Receipt,
  octets: Uint8Array,
): Promise<Receipt> {
  const before = await accounts.receiptTotals(card.cardId);
  const follows =
    equalTags(receipt.cardId, card.cardId) &&
    receipt.number === before.last + 1 &&
    receipt.currency === card.currency &&
    // What was spent is the sum of all receipts, protocol 7.5.
    receipt.spent === before.amount + before.torn + receipt.amount + receipt.torn;
  if (!follows) {
    throw new IssuerError(
      'RECEIPTS_DISAGREE',
      `receipt ${receipt.number} of card ${formatCardId(card.cardId)} does not follow from those before it; ` +
        'keep the card for inquiry',
    );
  }
  await accounts.addReceipt(card.cardId, receipt, octets);
  return receipt;
}
