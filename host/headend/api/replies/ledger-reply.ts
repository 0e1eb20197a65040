import { type Static, Type } from 'typebox';
import { formatCardId } from '../../../../apdu/decode-module/card-id.ts';
import { fromHex } from '../../../../apdu/octets.ts';
import { formatMoney } from '../../../money/amount.ts';
import { currencyByNumber } from '../../../money/currency.ts';
import type { Explanation } from '../../billing/explain-entry.ts';
import type { KeptLedgerEntry } from '../../ledger/read-ledger.ts';
import { BILL, describeBill, describeRequest, LOG_ROW } from './log-reply.ts';

const LINE = Type.Object({ debit: Type.String(), credit: Type.String(), amount: Type.String() });
/** What one event did to the accounts. */
export const LEDGER_ENTRY = Type.Object({
  id: Type.Integer(),
  kind: Type.String(),
  source: Type.String({ description: 'which event of its kind' }),
  at: Type.Integer({ description: 'when it was, seconds since 1970' }),
  period: Type.String({ description: 'month that it is entered in' }),
  note: Type.Union([Type.String(), Type.Null()]),
  lines: Type.Array(LINE),
});
/** What accounts have come to. */
export const BALANCES = Type.Object({
  balances: Type.Array(Type.Object({ account: Type.String(), debit: Type.String(), credit: Type.String() })),
  closed: Type.Union([Type.String({ description: 'the last month that is closed' }), Type.Null()]),
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
/** An entry, and all that it came from. */
export const EXPLANATION = Type.Object({
  entry: LEDGER_ENTRY,
  bill: Type.Optional(BILL),
  requests: Type.Optional(Type.Array(LOG_ROW, { description: 'what the card asked for and got' })),
  receipt: Type.Optional(RECEIPT),
  corrected: Type.Optional(LEDGER_ENTRY),
  correction: Type.Optional(LEDGER_ENTRY),
});

export function describeEntry({ lines, ...entry }: KeptLedgerEntry): Static<typeof LEDGER_ENTRY> {
  return {
    ...entry,
    lines: lines.map(({ debit, credit, currency, amount }) => ({
      debit,
      credit,
      amount: formatMoney(amount, currencyByNumber(currency)),
    })),
  };
}

export function describeExplanation(explanation: Explanation): Static<typeof EXPLANATION> {
  const { entry, bill, requests, receipt, corrected, correction } = explanation;
  return {
    ...(corrected !== undefined && { ...describeExplanation(corrected), corrected: describeEntry(corrected.entry) }),
    entry: describeEntry(entry),
    ...(bill !== undefined && { bill: describeBill(bill) }),
    ...(requests !== undefined && { requests: requests.map(describeRequest) }),
    ...(receipt !== undefined && { receipt: describeReceipt(receipt) }),
    ...(correction !== undefined && { correction: describeEntry(correction) }),
  };
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
