import { escapeUTF8 } from 'entities';
import { MAX_BILL_LINES, type UserBill, type UserBillLine } from '../../contract/bill/user-bill.ts';
import { renderPrintedPage } from '../../headend/billing/invoices/printed-page.ts';
import { formatTime } from '../terminal/time.ts';

/**
 * Renders what a user owes as a page that people can read and print; all that comes from the head-end is escaped.
 * @param at seconds since 1970, when it was asked for.
 */
export function renderStatement({ user, owed, lines }: UserBill, at: number): string {
  const sum = owed.length === 0 ? 'nothing, and was never charged by invoice' : owed.join(' and ');
  const older = lines.length === MAX_BILL_LINES ? `the newest ${MAX_BILL_LINES} entries · ` : '';
  return renderPrintedPage(
    `Statement of ${user}`,
    `<header><div><h1>Statement</h1><dl>
<dt>Customer</dt><dd>${escapeUTF8(user)}</dd>
<dt>As of</dt><dd>${formatTime(at)}</dd>
<dt>Owed</dt><dd>${escapeUTF8(sum)}</dd></dl></div></header>
<table><thead><tr><th class="number">Entry</th><th class="number">Time</th><th>What</th><th class="amount number">Amount</th></tr></thead>
<tbody>${lines.map(writeLine).join('\n')}</tbody></table>
<p><small>${older}below zero is what was paid or given back · by the number of an entry the operator explains it</small></p>`,
  );
}

function writeLine({ entry, kind, at, amount, dispute }: UserBillLine): string {
  const what = dispute === undefined ? kind : `${kind}, dispute ${dispute}`;
  return (
    `<tr><td class="number">${entry}</td><td class="number">${formatTime(at)}</td>` +
    `<td>${escapeUTF8(what)}</td><td class="amount number">${escapeUTF8(amount)}</td></tr>`
  );
}
