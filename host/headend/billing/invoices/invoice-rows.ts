import type { StoreChange } from '../../../store/group-writer.ts';
import type { LedgerAccount } from '../../ledger/ledger-account.ts';
import { postChanges } from '../../ledger/ledger-rows.ts';
import { makeTaxEntry, makeTaxReturnEntry } from '../../ledger/make-entries.ts';
import type { Invoice } from './invoice.ts';

/** The next number is given in the transaction that keeps it, so none is left out. */
const ISSUE = `insert into invoice
  (number, name, account, period, currency, issued_at, corrects, payable, carried, document)
  select (select coalesce(max(number), 0) + 1 from invoice), ?, ?, ?, ?, ?, ?, ?, ?, ? where true
  on conflict (name) do nothing`;

/** What an invoice is issued as. */
export interface InvoiceIssue {
  /** Issued once under this name. */
  readonly name: string;
  /** ISO 4217 number. */
  readonly currency: number;
  /** Seconds since 1970. */
  readonly at: number;
  /** Of a credit note: the number of its invoice. */
  readonly corrects?: number;
}

/** Issues an invoice, and enters the taxes that it contains. One that was issued before changes nothing. */
export function issueChanges(invoice: Invoice, { name, currency, at, corrects }: InvoiceIssue): readonly StoreChange[] {
  const { document, taxes, payable, carried } = invoice;
  const { account, period } = document;
  const values = [name, account, period, currency, at, corrects ?? null, payable, carried, JSON.stringify(document)];
  const entries = taxes.map(({ rule, service, amount }) => {
    const source = `${name} ${rule} ${service}`;
    const side: LedgerAccount = corrects === undefined ? `revenue:${service}` : `refunds:${service}`;
    return amount > 0n
      ? makeTaxEntry({ source, at, currency, rule, amount, from: side })
      : makeTaxReturnEntry({ source, at, currency, rule, amount: -amount, to: side });
  });
  return [{ sql: ISSUE, values }, ...entries.flatMap(postChanges)];
}

export function nameInvoice(account: string, period: string, currency: number): string {
  return `${period} ${currency} ${account}`;
}
