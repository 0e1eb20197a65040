import {
  openCreditLimitProof,
  openLoadProof,
  signCreditLimit,
  signLoadOrder,
} from '../../../apdu/decode-module/money/credit-load.ts';
import { equalTags } from '../../../apdu/octets.ts';
import type { IssuedCard, PlacedOrder } from '../cards/accounts.ts';
import { disagree } from './open-order.ts';

/** Signs an order: S2 of protocol 7.4. The same order gives the same octets. */
export function signOrder(
  { cardId, currency }: IssuedCard,
  { kind, number, asked, refund, loadId }: Omit<PlacedOrder, 'proved'>,
  loadInKey: Uint8Array,
): Uint8Array {
  const sign = kind === 'load' ? signLoadOrder : signCreditLimit;
  return sign({ cardId, number, currency, amount: asked + refund, loadId }, loadInKey);
}

/**
 * Checks that a proof is that of an order: S3 of protocol 7.4.
 * @throws ForgedError when it is not under the card's own key; IssuerError `ACCOUNTS_DISAGREE`.
 */
export function checkProof(
  { cardId, currency }: IssuedCard,
  { kind, number, asked, refund, loadId }: Omit<PlacedOrder, 'proved'>,
  octets: Uint8Array,
  loadOutKey: Uint8Array,
): void {
  const proof = (kind === 'load' ? openLoadProof : openCreditLimitProof)(octets, loadOutKey);
  const isRight =
    proof.number === number &&
    proof.currency === currency &&
    proof.amount === asked + refund &&
    equalTags(proof.loadId, loadId) &&
    equalTags(proof.cardId, cardId);
  if (!isRight) throw disagree(cardId);
}
