import type { TariffKind } from '../../../../apdu/decode-module/money/tariff.ts';
import { formatMoney } from '../../../money/amount.ts';
import type { Currency } from '../../../money/currency.ts';
import { formatPrice } from '../../../money/price.ts';
import type { DisputeState } from '../disputes/read-disputes.ts';
import { computeTaxes, type ContainedTax, type TaxRule } from './tax-rule.ts';

/** One thing that an invoice lists, as it stands in the ledger. */
export interface InvoiceItem {
  /** Number of its ledger entry. */
  readonly entry: number;
  /** What kind of event. */
  readonly kind: string;
  /** Seconds since 1970. */
  readonly at: number;
  readonly note: string | null;
  /** Left out for what is not of one service. */
  readonly service?: number;
  /** The card that has paid it; left out for what is to be paid. */
  readonly card?: string;
  /** Micro-units; below 0 for what is given back. */
  readonly amount: bigint;
  /** Of a bill: its session, time, octets and price. */
  readonly bill?: {
    readonly session?: string;
    readonly from: number;
    readonly to: number;
    readonly seconds?: number;
    readonly octets: bigint;
    readonly tariff?: TariffKind;
    readonly price?: bigint;
  };
}

/** What an invoice is made of. */
export interface InvoiceDraft {
  /** Account of the ledger that it is sent to. */
  readonly account: string;
  readonly period: string;
  readonly currency: Currency;
  readonly items: readonly InvoiceItem[];
  /** Micro-units that the invoice before left, as they were too small to be paid. */
  readonly carried: bigint;
}

/** A line of an invoice, in words and amounts. */
export interface InvoiceLine {
  readonly entry: number;
  readonly kind: string;
  readonly at: number;
  readonly service: number | null;
  /** Name of the card that has paid it; null for what is to be paid. */
  readonly card: string | null;
  readonly session: string | null;
  readonly from: number | null;
  readonly to: number | null;
  readonly octets: string | null;
  readonly price: string | null;
  readonly note: string | null;
  readonly amount: string;
  /** Where the last dispute of the entry stands, when the invoice is shown. */
  readonly dispute?: DisputeState;
}

/** What an invoice says; amounts with their currency, as `2.50 USD`. */
export interface InvoiceDocument {
  readonly account: string;
  readonly period: string;
  readonly lines: readonly InvoiceLine[];
  /** Taxes that the lines contain. */
  readonly taxes: readonly {
    readonly rule: string;
    readonly rate: number;
    readonly service: number;
    readonly amount: string;
  }[];
  /** All lines. */
  readonly total: string;
  /** Of these, what cards have paid already. */
  readonly paidByCard: string;
  /** What the invoice before left. */
  readonly carriedFrom: string;
  readonly payable: string;
  /** What is too small to be paid, and goes onto the next invoice. */
  readonly carriedTo: string;
}

/** An invoice before it has a number. Amounts in micro-units. */
export interface Invoice {
  readonly document: InvoiceDocument;
  readonly taxes: readonly ContainedTax[];
  readonly payable: bigint;
  readonly carried: bigint;
}

const DECIMALS = 6;

/** Adds up what a payer owes. What is less than the smallest coin of the currency is carried to the next invoice. */
export function makeInvoice(
  { account, period, currency, items, carried }: InvoiceDraft,
  rules: readonly TaxRule[],
): Invoice {
  const ofServices = new Map<number, bigint>();
  let total = 0n;
  let paidByCard = 0n;
  for (const { service, amount, card } of items) {
    total += amount;
    if (card !== undefined) paidByCard += amount;
    if (service !== undefined) ofServices.set(service, (ofServices.get(service) ?? 0n) + amount);
  }
  const taxes = [...ofServices].flatMap(([service, amount]) => computeTaxes(rules, service, amount));
  const due = total - paidByCard + carried;
  const rest = due % 10n ** BigInt(DECIMALS - currency.digits);
  const format = (amount: bigint) => formatMoney(amount, currency);
  const document = {
    account,
    period,
    lines: items.map((item) => describeItem(item, currency)),
    taxes: taxes.map(({ amount, ...tax }) => ({ ...tax, amount: format(amount) })),
    total: format(total),
    paidByCard: format(paidByCard),
    carriedFrom: format(carried),
    payable: format(due - rest),
    carriedTo: format(rest),
  };
  return { document, taxes, payable: due - rest, carried: rest };
}

function describeItem({ bill, amount, ...item }: InvoiceItem, currency: Currency): InvoiceLine {
  const { tariff, price } = bill ?? {};
  return {
    entry: item.entry,
    kind: item.kind,
    at: item.at,
    service: item.service ?? null,
    card: item.card ?? null,
    session: bill?.session ?? null,
    from: bill?.from ?? null,
    to: bill?.to ?? null,
    octets: bill === undefined || bill.octets === 0n ? null : bill.octets.toString(),
    price:
      tariff === undefined || price === undefined ? null : formatPrice({ tariff: { kind: tariff, price }, currency }),
    note: item.note,
    amount: formatMoney(amount, currency),
  };
}
