import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { type LoadRequest, openLoadRequest } from '../../../apdu/decode-module/money/credit-load.ts';
import { MESSAGE_FRAME } from '../../../apdu/layout/message-frame.ts';
import { LOAD_ORDER, LOAD_REQUEST } from '../../../apdu/layout/money.ts';
import { type CardFile, messagesOf } from '../../contract/card-files/card-file.ts';
import type { Accounts, IssuedCard, OrderKind } from '../cards/accounts.ts';
import { findAccount, requireTrusted } from '../cards/issued-card.ts';
import { IssuerError } from '../issuer-error.ts';
import { disagree, findOpenOrder, placeOrder } from './open-order.ts';
import { checkProof, signOrder } from './order-messages.ts';
import { type OrderContext, type OrderPlan, readTerms, requireCurrency } from './order-plan.ts';
import { acknowledge, takeReceipts } from './remote-receipts.ts';

/** What an issuer has at hand when the card is elsewhere. */
export type RemoteContext = Omit<OrderContext, 'module'>;

/** An order that travels to its card. */
export interface RemoteOrder {
  readonly card: IssuedCard;
  readonly file: CardFile;
  readonly kind: OrderKind;
  /** Micro-units. */
  readonly asked: bigint;
  readonly refund: bigint;
  /** Whether it was signed before: the card has not proved it yet. It may then be another than what was asked for. */
  readonly repeated: boolean;
}

/**
 * Answers the load request of a card that is elsewhere. The order is on disk before it is signed, and the same request
 * gives the same order: asked twice, it is loaded once. Receipts that come with the request are kept, and acknowledged.
 * @throws IssuerError `STALE_FILE` when the card has proved more since, and those of an order with the card at hand. A
 *   request that is old proves nothing against its card: no card is withdrawn for it.
 * @throws ForgedError when a message is not under the card's own key.
 */
export async function answerLoadRequest(context: RemoteContext, file: CardFile, plan: OrderPlan): Promise<RemoteOrder> {
  const { keys, accounts } = context;
  const [octets] = messagesOf(file, 'load-request');
  const card = await findAccount(LOAD_REQUEST.decode(octets!).cardId, accounts);
  requireTrusted(card);
  requireCurrency(card, plan.request.currency);
  const { cardId, currency } = card;
  const master = await keys.open('load');
  const loadRequest = openLoadRequest(octets!, deriveCardKey(master, 'load-out', cardId));
  if (loadRequest.currency !== currency) throw disagree(cardId);
  await accounts.transaction(async (inside) => {
    await requireFresh(inside, card, loadRequest);
    const open = await findOpenOrder(inside, loadRequest);
    // The request is signed, and names the last order that the card carried out.
    if (open?.number === loadRequest.number) await inside.recordProof(cardId, open.number);
  });
  const receipts = messagesOf(file, 'receipt');
  if (receipts.length > 0) await takeReceipts(context, file);
  const order = await placeOrder(context, plan, await readTerms(accounts, card, loadRequest, plan.request));
  const signed = signOrder(card, order, deriveCardKey(master, 'load-in', cardId));
  const acknowledgement = receipts.length > 0 ? [await acknowledge(context, card)] : [];
  const messages = [{ name: 'load-order', octets: signed } as const, ...acknowledgement];
  const { kind, asked, refund, repeated } = order;
  return { card, file: { kind: 'load order', cardId, messages }, kind, asked, refund, repeated };
}

/** What a proof that came back says. */
export interface TakenProof {
  readonly card: IssuedCard;
  readonly kind: OrderKind;
  readonly number: number;
  /** Micro-units. */
  readonly asked: bigint;
  readonly refund: bigint;
  /** Whether it had been proved before. */
  readonly repeated: boolean;
}

/**
 * Records that a card which is elsewhere has carried out an order. A proof may come again.
 * @throws IssuerError `ACCOUNTS_BEHIND`, `ACCOUNTS_DISAGREE`, `WRONG_ISSUER`, `NOT_IN_ACCOUNTS`.
 * @throws ForgedError when it is not under the card's own key.
 */
export async function takeProof({ keys, accounts }: RemoteContext, file: CardFile): Promise<TakenProof> {
  const [octets] = messagesOf(file, 'load-proof');
  const { cardId, number } = LOAD_ORDER.decode(octets!);
  const card = await findAccount(cardId, accounts);
  const loadOutKey = deriveCardKey(await keys.open('load'), 'load-out', cardId);
  const order = await accounts.order(cardId, number);
  const isLimit = MESSAGE_FRAME.readUint(octets!, 'kind') === KIND.creditLimitProof;
  // Without an order of that number there is nothing to compare with but the tag.
  const known = order ?? { kind: isLimit ? 'credit limit' : 'load', number, ...unknownOrder(octets!) };
  checkProof(card, known, octets!, loadOutKey);
  if (order === undefined) {
    throw new IssuerError(
      'ACCOUNTS_BEHIND',
      `card ${formatCardId(cardId)} proves order ${number}, which these accounts do not have; ` +
        'put the newest copy of them back',
    );
  }
  await accounts.recordProof(cardId, number);
  return { card, kind: order.kind, number, asked: order.asked, refund: order.refund, repeated: order.proved };
}

function unknownOrder(octets: Uint8Array): { loadId: Uint8Array; asked: bigint; refund: bigint; signedAt: number } {
  const { loadId, amount } = LOAD_ORDER.decode(octets);
  return { loadId, asked: amount, refund: 0n, signedAt: 0 };
}

/** @throws IssuerError `STALE_FILE` when the accounts know more of the card than its request says. */
async function requireFresh(accounts: Accounts, known: IssuedCard, request: LoadRequest): Promise<void> {
  const { cardId } = known;
  const card = (await accounts.card(cardId)) ?? known;
  const last = await accounts.lastOrder(cardId);
  const isOvertaken =
    last !== undefined && (request.number + 1 < last.number || (request.number < last.number && last.proved));
  if (
    !isOvertaken &&
    request.spent >= card.spent &&
    request.torn >= card.torn &&
    request.receiptsWritten >= card.receipts
  )
    return;
  throw new IssuerError(
    'STALE_FILE',
    `card ${formatCardId(cardId)} has proved more since it made this request; ask anew: tollcast card request-load`,
  );
}
