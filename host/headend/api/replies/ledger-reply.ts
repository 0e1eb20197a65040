import { type Static, Type } from 'typebox';
import { formatCardId } from '../../../../apdu/decode-module/card-id.ts';
import { fromHex } from '../../../../apdu/octets.ts';
import { formatMoney } from '../../../money/amount.ts';
import { currencyByNumber } from '../../../money/currency.ts';
import type { Dispute, DisputeState } from '../../billing/disputes/read-disputes.ts';
import type { Explanation } from '../../billing/explain-entry.ts';
import type { Subscription } from '../../billing/subscriptions.ts';
import type { KeptLedgerEntry } from '../../ledger/read-ledger.ts';
import type { LostCard } from '../../loads/lost-cards.ts';
import { BILL, describeBill, describeRequest, LOG_ROW } from './log-reply.ts';

const LINE = Type.Object({ debit: Type.String(), credit: Type.String(), amount: Type.String() });
/** Where the last dispute of an entry stands. */
export const DISPUTE_STATE = Type.Enum<DisputeState[]>(['open', 'upheld', 'rejected']);
/** Somebody disputes an entry, and what became of that. */
export const DISPUTE = Type.Object({
  id: Type.Integer(),
  entry: Type.Integer({ description: 'that is disputed' }),
  openedAt: Type.Integer({ description: 'seconds since 1970' }),
  openedBy: Type.String({ description: 'the operator' }),
  reason: Type.String(),
  state: DISPUTE_STATE,
  ruling: Type.Optional(
    Type.Object({
      at: Type.Integer(),
      by: Type.String(),
      note: Type.String(),
      entry: Type.Union([Type.Integer({ description: 'that gives it back' }), Type.Null()]),
    }),
  ),
});
/** What one event did to the accounts. */
export const LEDGER_ENTRY = Type.Object({
  id: Type.Integer(),
  kind: Type.String(),
  source: Type.String({ description: 'which event of its kind' }),
  at: Type.Integer({ description: 'when it was, seconds since 1970' }),
  period: Type.String({ description: 'month that it is entered in' }),
  note: Type.Union([Type.String(), Type.Null()]),
  lines: Type.Array(LINE),
  dispute: Type.Optional(DISPUTE_STATE),
});
/** What accounts have come to. */
export const BALANCES = Type.Object({
  balances: Type.Array(Type.Object({ account: Type.String(), debit: Type.String(), credit: Type.String() })),
  closed: Type.Union([Type.String({ description: 'the last month that is closed' }), Type.Null()]),
  openDisputes: Type.Integer(),
});

const RECEIPT = Type.Object({
  card: Type.String(),
  number: Type.Integer(),
  service: Type.Integer(),
  octets: Type.String({ description: 'digits' }),
  duration: Type.String({ description: 'ms of media, digits' }),
  groups: Type.Integer(),
  from: Type.Integer({ description: 'media time of the first group, seconds since 1970' }),
  to: Type.Integer(),
  amount: Type.String(),
  torn: Type.String({ description: 'taken when the power went, and not used' }),
  takenAt: Type.Integer({ description: 'when it was delivered' }),
});
/** A card that was lost, and what becomes of what it had. */
export const LOST_CARD = Type.Object({
  card: Type.String(),
  newCard: Type.String(),
  reportedAt: Type.Integer({ description: 'seconds since 1970' }),
  reportedBy: Type.String(),
  endsAt: Type.Integer({ description: 'when the last of its purchases ends; 0 when it had none' }),
  dueAt: Type.Integer({ description: 'from when on the new card can fetch what is left' }),
  decidedAt: Type.Union([Type.Integer(), Type.Null()]),
  balance: Type.Optional(Type.String({ description: 'what the ledger said that it had' })),
  held: Type.Optional(Type.String({ description: 'what of it may have been spent without a receipt' })),
  moved: Type.Optional(Type.String({ description: 'what the new card is loaded with' })),
});
/** A component of a service that is paid by the period. */
export const SUBSCRIPTION = Type.Object({
  user: Type.String(),
  service: Type.Integer(),
  part: Type.String({ description: 'content or delivery' }),
  payer: Type.String({ description: 'user or provider' }),
  price: Type.String({ description: 'of a period' }),
  seconds: Type.Integer({ description: 'of a period' }),
  since: Type.Integer({ description: 'seconds since 1970' }),
  until: Type.Union([Type.Integer(), Type.Null()], { description: 'null while it lasts' }),
});
/** An entry, and all that it came from. */
export const EXPLANATION = Type.Object({
  entry: LEDGER_ENTRY,
  bill: Type.Optional(BILL),
  requests: Type.Optional(Type.Array(LOG_ROW, { description: 'what the card asked for and got' })),
  subscriptions: Type.Optional(Type.Array(SUBSCRIPTION, { description: 'that touched the period of a price' })),
  connections: Type.Optional(Type.Array(BILL, { description: 'that touched the period of a price' })),
  receipt: Type.Optional(RECEIPT),
  lostCard: Type.Optional(LOST_CARD),
  corrected: Type.Optional(LEDGER_ENTRY),
  correction: Type.Optional(LEDGER_ENTRY),
  disputes: Type.Optional(Type.Array(DISPUTE)),
  upheld: Type.Optional(DISPUTE),
});

/** @param dispute where its last dispute stands. */
export function describeEntry(
  { lines, ...entry }: KeptLedgerEntry,
  dispute?: DisputeState,
): Static<typeof LEDGER_ENTRY> {
  return {
    ...entry,
    ...(dispute !== undefined && { dispute }),
    lines: lines.map(({ debit, credit, currency, amount }) => ({
      debit,
      credit,
      amount: formatMoney(amount, currencyByNumber(currency)),
    })),
  };
}

export function describeExplanation(explanation: Explanation): Static<typeof EXPLANATION> {
  const { entry, corrected, correction, disputes, upheld } = explanation;
  const { bill, requests, subscriptions, connections, receipt, lostCard } = findSource(explanation);
  return {
    entry: describeEntry(entry),
    ...(corrected !== undefined && { corrected: describeEntry(corrected.entry) }),
    ...(bill !== undefined && { bill: describeBill(bill) }),
    ...(requests !== undefined && { requests: requests.map(describeRequest) }),
    ...(subscriptions !== undefined && { subscriptions: subscriptions.map(describeSubscription) }),
    ...(connections !== undefined && { connections: connections.map(describeBill) }),
    ...(receipt !== undefined && { receipt: describeReceipt(receipt) }),
    ...(lostCard !== undefined && { lostCard: describeLostCard(lostCard, entry.lines[0]?.currency) }),
    ...(correction !== undefined && { correction: describeEntry(correction) }),
    ...(disputes !== undefined && { disputes: disputes.map(describeDispute) }),
    ...(upheld !== undefined && { upheld: describeDispute(upheld) }),
  };
}

/** A correction came from what the entry came from that it takes back. */
function findSource(explanation: Explanation): Explanation {
  return explanation.corrected === undefined ? explanation : findSource(explanation.corrected);
}

export function describeDispute({ id, entryId, ruling, ...rest }: Dispute): Static<typeof DISPUTE> {
  const { openedAt, openedBy, reason, state } = rest;
  const { ruledAt: at, ruledBy: by, rulingNote: note, givenBy } = ruling ?? {};
  const isRuled = at !== undefined && by !== undefined && note !== undefined;
  return {
    id,
    entry: entryId,
    openedAt,
    openedBy,
    reason,
    state,
    ...(isRuled && { ruling: { at, by, note, entry: givenBy ?? null } }),
  };
}

/** @param currency of its purse, ISO 4217 number; amounts are left out where it is not known. */
export function describeLostCard(
  { cardId, newCardId, balance, held, moved, ...row }: LostCard,
  currency: number | undefined,
): Static<typeof LOST_CARD> {
  const named = { card: formatCardId(fromHex(cardId)), newCard: formatCardId(fromHex(newCardId)), ...row };
  if (balance === null || held === null || moved === null || currency === undefined) return named;
  const format = (amount: bigint): string => formatMoney(amount, currencyByNumber(currency));
  return { ...named, balance: format(balance), held: format(held), moved: format(moved) };
}

export function describeSubscription({ price, currency, ...row }: Subscription): Static<typeof SUBSCRIPTION> {
  return { ...row, price: formatMoney(price, currencyByNumber(currency)) };
}

function describeReceipt(receipt: NonNullable<Explanation['receipt']>): Static<typeof RECEIPT> {
  const { cardId, number, service, octets, duration, groups, timeFrom, timeTo, amount, torn, takenAt } = receipt;
  const currency = currencyByNumber(receipt.currency);
  return {
    card: formatCardId(fromHex(cardId)),
    number,
    service,
    octets: octets.toString(),
    duration: duration.toString(),
    groups,
    from: timeFrom,
    to: timeTo,
    amount: formatMoney(amount, currency),
    torn: formatMoney(torn, currency),
    takenAt,
  };
}
