import { deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import { openLoadRequest } from '../../../apdu/decode-module/money/credit-load.ts';
import { equalTags } from '../../../apdu/octets.ts';
import { formatMoney } from '../../money/amount.ts';
import { currencyByNumber } from '../../money/currency.ts';
import { findIssuedCard, requireTrusted } from '../cards/issued-card.ts';
import { IssuerError } from '../issuer-error.ts';
import { disagree, type OpenOrder, placeOrder } from './open-order.ts';
import { checkProof, signOrder } from './order-messages.ts';
import { type OrderContext, type OrderPlan, type OrderTerms, readTerms, requireCurrency } from './order-plan.ts';

export interface OrderResult extends OrderTerms {
  readonly asked: bigint;
  readonly refund: bigint;
  readonly number: number;
  /** Whether an earlier attempt, whose answer was lost, had signed the order. */
  readonly repeated: boolean;
}

/**
 * Has a card carry out one numbered order: S1, S2, S3 of protocol 7.4. The order is on disk before it is signed. An
 * order that the card has not proved is signed again, octet for octet, before there is another. So the same order can
 * be repeated whatever was lost on the way, and is carried out once. A soft module whose counters run backwards is
 * withdrawn.
 *
 * @throws IssuerError those of {@link findIssuedCard} and {@link KeyStore.open}, and `WITHDRAWN`, `WRONG_CURRENCY`,
 *   `RECEIPTS_FIRST`, `EARLIER_LOAD`, `CARD_ROLLED_BACK`, `ACCOUNTS_BEHIND`, `ACCOUNTS_DISAGREE`.
 * @throws ForgedError when S1 or S3 is not under the card's own key.
 * @throws ModuleError when the card refuses.
 */
export async function carryOutOrder(context: OrderContext, plan: OrderPlan): Promise<OrderResult> {
  const { module, keys, accounts } = context;
  const { kind, request } = plan;
  const { card } = await findIssuedCard(module, accounts, ['active']);
  requireTrusted(card);
  requireCurrency(card, request.currency);
  const { cardId, currency } = card;
  const master = await keys.open('load');
  const loadOutKey = deriveCardKey(master, 'load-out', cardId);
  const loadRequest = openLoadRequest(await module.startLoad(), loadOutKey);
  if (!equalTags(loadRequest.cardId, cardId) || loadRequest.currency !== currency) throw disagree(cardId);

  const terms = await readTerms(accounts, card, loadRequest, request);
  let order: OpenOrder;
  try {
    order = await placeOrder(context, plan, terms);
  } catch (error) {
    const rolledBack = error instanceof IssuerError && error.code === 'CARD_ROLLED_BACK';
    if (rolledBack && terms.softLimit !== undefined) await accounts.withdraw(cardId);
    throw error;
  }
  const loadInKey = deriveCardKey(master, 'load-in', cardId);
  checkProof(card, order, await module.loadCredit(signOrder(card, order, loadInKey)), loadOutKey);
  await accounts.recordProof(cardId, order.number);

  const { asked, refund, number, repeated } = order;
  if (repeated && (asked !== request.amount || order.kind !== kind)) {
    const earlier = order.kind === 'load' ? 'load of' : 'credit limit of';
    const amount = formatMoney(asked, currencyByNumber(currency));
    throw new IssuerError(
      'EARLIER_LOAD',
      `an earlier ${earlier} ${amount} was still open and is done now; yours is not: repeat it if you still want it`,
    );
  }
  return { ...terms, asked, refund, number, repeated };
}
