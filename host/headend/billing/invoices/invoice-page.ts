import { escapeUTF8 } from 'entities';
import type { IssuedInvoice } from './invoice-desk.ts';
import { readSessionOfLine, titleOf } from './invoice-words.ts';
import type { InvoiceLine } from './invoice.ts';
import { renderPrintedPage } from './printed-page.ts';

/** Who is on the page, each as lines of text. */
export interface InvoiceParties {
  /** Who sends it. */
  readonly from: string;
  /** Whom it is sent to, beside the name of the account. */
  readonly to?: string | undefined;
  /** Names of services by their numbers. */
  readonly services: ReadonlyMap<number, string>;
}

/** A page that people can read and print; all that comes from elsewhere is escaped. */
export function renderInvoice(invoice: IssuedInvoice, { from, to, services }: InvoiceParties): string {
  const { number, issuedAt, document } = invoice;
  const { account, period, lines, taxes, total, paidByCard, carriedFrom, payable, carriedTo } = document;
  const title = titleOf(invoice);
  const sums = [
    sum('Total', total),
    ...taxes.map(({ rule, rate, service, amount }) =>
      sum(`contains ${rule}, ${rate / 100} % of ${nameOf(services, service)}`, amount),
    ),
    ...(isZero(paidByCard) ? [] : [sum('paid by card already', paidByCard)]),
    ...(isZero(carriedFrom) ? [] : [sum('carried from the last invoice', carriedFrom)]),
    sum('To be paid', payable, ' class="payable"'),
    ...(isZero(carriedTo) ? [] : [sum('carried to the next invoice', carriedTo)]),
  ];
  return renderPrintedPage(
    title,
    `<header><div><h1>${escapeUTF8(title)}</h1><dl>
<dt>Customer</dt><dd>${escapeUTF8(account)}</dd>
<dt>Month</dt><dd>${escapeUTF8(period)}</dd>
<dt>Issued</dt><dd>${formatDay(issuedAt)}</dd></dl>
${to === undefined ? '' : `<p><address>${escapeUTF8(to)}</address></p>`}</div>
<address>${escapeUTF8(from)}</address></header>
<table><thead><tr><th class="number">Entry</th><th class="number">Date</th><th>Service</th><th class="amount number">Amount</th></tr></thead>
<tbody>${lines.map((line) => writeLine(line, services)).join('\n')}</tbody>
<tfoot>${sums.join('\n')}</tfoot></table>
<p><small>${number} · times are UTC · an entry is a line of the ledger, by which any amount is followed to its source</small></p>`,
  );
}

function writeLine(line: InvoiceLine, services: ReadonlyMap<number, string>): string {
  const { entry, at, service, amount } = line;
  const what = service === null ? 'credit for the card' : nameOf(services, service);
  const small = readSessionOfLine(line).map((text) => `<small>${escapeUTF8(text)}</small>`);
  return (
    `<tr><td class="number">${entry === 0 ? '' : entry}</td><td class="number">${formatDay(at)}</td>` +
    `<td>${escapeUTF8(what)}${small.join('')}</td><td class="amount number">${escapeUTF8(amount)}</td></tr>`
  );
}

function sum(label: string, amount: string, attribute = ''): string {
  return (
    `<tr${attribute}><td colspan="3" class="amount">${escapeUTF8(label)}</td>` +
    `<td class="amount number">${escapeUTF8(amount)}</td></tr>`
  );
}

function nameOf(services: ReadonlyMap<number, string>, service: number): string {
  const name = services.get(service);
  return name === undefined ? `service ${service}` : `${name} (${service})`;
}

function isZero(amount: string): boolean {
  return /^0(?:\.0+)? /.test(amount);
}

function formatDay(at: number): string {
  return new Date(at * 1000).toISOString().slice(0, 10);
}
