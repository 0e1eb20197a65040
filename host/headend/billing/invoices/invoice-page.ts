import { escapeUTF8 } from 'entities';
import type { IssuedInvoice } from './invoice-desk.ts';
import { readSessionOfLine, titleOf } from './invoice-words.ts';
import type { InvoiceLine } from './invoice.ts';

/** Who is on the page, each as lines of text. */
export interface InvoiceParties {
  /** Who sends it. */
  readonly from: string;
  /** Whom it is sent to, beside the name of the account. */
  readonly to?: string | undefined;
  /** Names of services by their numbers. */
  readonly services: ReadonlyMap<number, string>;
}

const STYLE = `
@page { size: A4; margin: 18mm 16mm }
body { font: 10.5pt/1.45 system-ui, sans-serif; color: #1a1a1a; max-width: 52rem; margin: 2rem auto; padding: 0 1rem;
  overflow-wrap: anywhere }
header { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 1rem 2rem; margin-bottom: 2rem }
header > * { min-width: 0; max-width: 100% }
address { font-style: normal; white-space: pre-line }
h1 { font-size: 1.5rem; margin: 0 0 .5rem }
dl { display: grid; grid-template-columns: max-content minmax(0, auto); gap: .1rem 1rem; margin: 0 }
dt { color: #555 } dd { margin: 0 }
table { width: 100%; border-collapse: collapse; margin: 1.5rem 0 }
thead { display: table-header-group } tr { break-inside: avoid }
th { text-align: left; border-bottom: 2px solid #1a1a1a; padding: .3rem .5rem .3rem 0 }
td { border-bottom: 1px solid #ccc; padding: .35rem .5rem .35rem 0; vertical-align: top }
.amount { text-align: right; padding-right: 0 }
.number { white-space: nowrap; font-variant-numeric: tabular-nums }
small { display: block; color: #555 }
tfoot td { border: 0; padding-top: .2rem } tfoot .payable td { font-weight: 700; border-top: 2px solid #1a1a1a }
@media print { body { margin: 0; max-width: none; padding: 0 } }
`;

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
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeUTF8(title)}</title><style>${STYLE}</style></head><body>
<header><div><h1>${escapeUTF8(title)}</h1><dl>
<dt>Customer</dt><dd>${escapeUTF8(account)}</dd>
<dt>Month</dt><dd>${escapeUTF8(period)}</dd>
<dt>Issued</dt><dd>${formatDay(issuedAt)}</dd></dl>
${to === undefined ? '' : `<p><address>${escapeUTF8(to)}</address></p>`}</div>
<address>${escapeUTF8(from)}</address></header>
<table><thead><tr><th class="number">Entry</th><th class="number">Date</th><th>Service</th><th class="amount number">Amount</th></tr></thead>
<tbody>${lines.map((line) => writeLine(line, services)).join('\n')}</tbody>
<tfoot>${sums.join('\n')}</tfoot></table>
<p><small>${number} · times are UTC · an entry is a line of the ledger, by which any amount is followed to its source</small></p>
</body></html>
`;
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
