import { decodeCardId, formatCardId } from '../../../apdu/decode-module/card-id.ts';
import type { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import { signAcknowledgement } from '../../../apdu/decode-module/money/acknowledgement.ts';
import { openReceipt, type Receipt, RECEIPT_RING } from '../../../apdu/decode-module/money/receipt.ts';
import { equalTags } from '../../../apdu/octets.ts';
import type { Accounts, IssuedCard, ReceiptTotals } from '../cards/accounts.ts';
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
  const receipts = await keepReceipts(accounts, card, fetched, receiptKey, { mayRepeat: false });
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

/**
 * Keeps the receipts of a card, all of them or none.
 * @param mayRepeat whether they come by a way on which some may be kept already, or missing.
 * @returns those that were new.
 * @throws IssuerError `RECEIPTS_DISAGREE`, after which a soft module is withdrawn, or `ACCOUNTS_BEHIND`.
 * @throws ForgedError when a receipt is not under the card's own key.
 */
export async function keepReceipts(
  accounts: Accounts,
  card: IssuedCard,
  octetsOfAll: readonly Uint8Array[],
  receiptKey: Uint8Array,
  { mayRepeat }: { readonly mayRepeat: boolean },
): Promise<readonly Receipt[]> {
  try {
    return await accounts.transaction(async (inside) => {
      const kept: Receipt[] = [];
      for (const octets of octetsOfAll) {
        const receipt = openReceipt(octets, receiptKey);
        if (mayRepeat && (await isKept(inside, card, receipt, octets))) continue;
        kept.push(await keepReceipt(inside, card, receipt, octets));
      }
      return kept;
    });
  } catch (error) {
    const disagreed = error instanceof IssuerError && error.code === 'RECEIPTS_DISAGREE';
    if (disagreed && decodeCardId(card.cardId).moduleClass === 'soft') await accounts.withdraw(card.cardId);
    throw error;
  }
}

/**
 * Whether this very receipt came before. A card signs each number once, so another of that number does not follow.
 * @throws IssuerError `ACCOUNTS_BEHIND` when one before it is missing.
 */
async function isKept(
  accounts: Accounts,
  { cardId }: IssuedCard,
  { number }: Receipt,
  octets: Uint8Array,
): Promise<boolean> {
  const { last } = await accounts.receiptTotals(cardId);
  if (number > last + 1) {
    throw new IssuerError(
      'ACCOUNTS_BEHIND',
      `card ${formatCardId(cardId)} sends receipt ${number}, and these accounts end at ${last}; ` +
        'take the file before this one first, or put the newest copy of the accounts back',
    );
  }
  const before = await accounts.receipt(cardId, number);
  return before !== undefined && equalTags(before, octets);
}

function disagreeing({ cardId }: IssuedCard, { number }: Receipt): IssuerError {
  return new IssuerError(
    'RECEIPTS_DISAGREE',
    `receipt ${number} of card ${formatCardId(cardId)} does not follow from those before it; keep the card for inquiry`,
  );
}

/** @throws IssuerError `RECEIPTS_DISAGREE` when the receipt does not follow from those before it. */
async function keepReceipt(
  accounts: Accounts,
  card: IssuedCard,
  receipt: Receipt,
  octets: Uint8Array,
): Promise<Receipt> {
  if (!isNextReceipt(receipt, card, await accounts.receiptTotals(card.cardId))) throw disagreeing(card, receipt);
  await accounts.addReceipt(card.cardId, receipt, octets);
  return receipt;
}

/**
 * Whether a receipt follows from those before it: its number is the next, and what was spent is the sum of all
 * (protocol 7.5).
 * @param before all receipts of the card so far.
 */
export function isNextReceipt(
  receipt: Receipt,
  { cardId, currency }: Pick<IssuedCard, 'cardId' | 'currency'>,
  before: ReceiptTotals,
): boolean {
  return (
    equalTags(receipt.cardId, cardId) &&
    receipt.number === before.last + 1 &&
    receipt.currency === currency &&
    receipt.spent === before.amount + before.torn + receipt.amount + receipt.torn
  );
}
