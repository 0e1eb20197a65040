import { type Static, Type } from 'typebox';
import { formatCardId } from '../../../../apdu/decode-module/card-id.ts';
import { fromHex } from '../../../../apdu/octets.ts';
import { formatMoney } from '../../../money/amount.ts';
import { currencyByNumber } from '../../../money/currency.ts';
import { readItems } from '../../charging/charging-rows.ts';
import type { SoldBill, SoldRequest } from '../../roles/sessions/sold-log.ts';

/** A row of the log of requests. */
export const LOG_ROW = Type.Object({
  id: Type.Integer(),
  at: Type.Integer({ description: 'seconds since 1970' }),
  card: Type.String(),
  kind: Type.String(),
  service: Type.Integer(),
  session: Type.Union([Type.String(), Type.Null()]),
  segment: Type.Union([Type.Integer(), Type.Null()]),
  from: Type.Integer(),
  to: Type.Union([Type.Integer(), Type.Null()]),
  outcome: Type.String(),
});
const BILL_ITEM = Type.Object({
  part: Type.String({ description: 'content or delivery' }),
  payer: Type.String({ description: 'user or provider' }),
  settlement: Type.String({ description: 'purse or invoice' }),
  charge: Type.String(),
});
/** What a join came to. */
export const BILL = Type.Object({
  user: Type.String(),
  session: Type.String(),
  service: Type.Integer(),
  from: Type.Integer(),
  to: Type.Integer(),
  seconds: Type.Integer(),
  octets: Type.String({ description: 'digits' }),
  items: Type.Array(BILL_ITEM, { description: 'what each component of the price comes to' }),
  charge: Type.String({
    description: 'what it comes to, with its currency: what the receipts of a card must agree with',
  }),
  amount: Type.String({ description: 'what is to be paid by invoice' }),
  isClosed: Type.Boolean(),
});

export function describeRequest(row: SoldRequest): Static<typeof LOG_ROW> {
  const { id, at, cardId, kind, service, session, segmentId, timeFrom, timeTo, outcome } = row;
  const card = formatCardId(fromHex(cardId));
  return { id, at, card, kind, service, session, segment: segmentId, from: timeFrom, to: timeTo, outcome };
}

export function describeBill(bill: SoldBill): Static<typeof BILL> {
  const { user, session, service, timeFrom, timeTo, seconds, octets, currency, isClosed } = bill;
  const format = (amount: bigint): string =>
    currency === null ? '0' : formatMoney(amount, currencyByNumber(currency));
  return {
    user,
    session,
    service,
    from: timeFrom,
    to: timeTo,
    seconds,
    octets: octets.toString(),
    items: readItems(bill.items).map(({ part, payer, settlement, charge }) => ({
      part,
      payer,
      settlement,
      charge: format(charge),
    })),
    charge: format(bill.charge),
    amount: format(bill.amount),
    isClosed,
  };
}
