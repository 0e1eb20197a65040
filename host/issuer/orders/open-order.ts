import { randomBytes } from 'node:crypto';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import type { LoadRequest } from '../../../apdu/decode-module/money/credit-load.ts';
import { LOAD_ID_LENGTH } from '../../../apdu/layout/money.ts';
import { equalTags } from '../../../apdu/octets.ts';
import type { Accounts, PlacedOrder } from '../cards/accounts.ts';
import { OUT_OF_USE } from '../cards/issued-card.ts';
import { IssuerError } from '../issuer-error.ts';
import type { OrderContext, OrderPlan, OrderTerms } from './order-plan.ts';

/** An order that is not proved yet. */
export interface OpenOrder extends Omit<PlacedOrder, 'proved'> {
  readonly repeated: boolean;
}

/**
 * The order that is still open, or else a new one. On disk when this resolves.
 * @throws IssuerError `CARD_ROLLED_BACK`, `ACCOUNTS_BEHIND`, `ACCOUNTS_DISAGREE`, `RECEIPTS_FIRST`, and those of the plan.
 */
export async function placeOrder(
  { accounts, now }: Pick<OrderContext, 'accounts' | 'now'>,
  { kind, request, loadId, decideRefund }: OrderPlan,
  terms: OrderTerms,
): Promise<OpenOrder> {
  const { cardId, number, spent, torn, receiptsWritten } = terms.loadRequest;
  const soft = terms.softLimit !== undefined;
  // What the card has proved is kept, whatever becomes of the order.
  await accounts.transaction(async (inside) => {
    await findOpenOrder(inside, terms.loadRequest);
    await inside.recordCounters(cardId, { spent, torn, receipts: receiptsWritten });
  });
  return accounts.transaction(async (inside) => {
    const open = await findOpenOrder(inside, terms.loadRequest);
    if (open !== undefined) return open;
    if (soft) await requireReceipts(inside, terms.loadRequest);
    const order = {
      kind,
      number: number + 1,
      loadId: loadId ?? new Uint8Array(randomBytes(LOAD_ID_LENGTH)),
      asked: request.amount,
      refund: await decideRefund(terms, inside),
      signedAt: now,
    };
    await inside.addOrder(cardId, order);
    return { ...order, repeated: false };
  });
}

/** The order that was signed and never proved. Compares S1 with the accounts first. */
export async function findOpenOrder(accounts: Accounts, loadRequest: LoadRequest): Promise<OpenOrder | undefined> {
  const { cardId, number } = loadRequest;
  const card = await accounts.card(cardId);
  const last = await accounts.lastOrder(cardId);
  const lastNumber = last?.number ?? 0;
  if (number > lastNumber) {
    throw new IssuerError(
      'ACCOUNTS_BEHIND',
      `card ${formatCardId(cardId)} proves load ${number}, these accounts end at ${lastNumber}; ` +
        'put the newest copy of them back',
    );
  }
  const behind = number + 1 < lastNumber || (number < lastNumber && last?.proved === true);
  const counted = Math.max(card?.receipts ?? 0, (await accounts.receiptTotals(cardId)).last);
  if (
    behind ||
    loadRequest.spent < (card?.spent ?? 0n) ||
    loadRequest.torn < (card?.torn ?? 0n) ||
    loadRequest.receiptsWritten < counted
  ) {
    throw new IssuerError(
      'CARD_ROLLED_BACK',
      `card ${formatCardId(cardId)} has forgotten what it proved before: it is a copy, or an old state put back; ` +
        OUT_OF_USE,
    );
  }
  if (loadRequest.loaded !== (await accounts.orderedUpTo(cardId, number))) throw disagree(cardId);
  if (last === undefined) return undefined;
  if (number === lastNumber && !equalTags(loadRequest.lastLoadId, last.loadId)) throw disagree(cardId);
  if (last.proved) return undefined;
  return { ...last, repeated: true };
}

/** A soft module gets the next credit when all it has spent is covered by receipts. */
async function requireReceipts(accounts: Accounts, { cardId, spent, receiptsWritten }: LoadRequest): Promise<void> {
  const { last, amount, torn } = await accounts.receiptTotals(cardId);
  if (last === receiptsWritten && amount + torn === spent) return;
  throw new IssuerError(
    'RECEIPTS_FIRST',
    `soft module ${formatCardId(cardId)} gets credit against its receipts alone; type first: tollcast issuer collect`,
  );
}

/** Card and accounts differ on what was loaded. */
export function disagree(cardId: Uint8Array): IssuerError {
  return new IssuerError(
    'ACCOUNTS_DISAGREE',
    `card ${formatCardId(cardId)} and these accounts disagree on what was loaded; ` +
      `put the newest copy of the accounts back, or ${OUT_OF_USE}`,
  );
}
