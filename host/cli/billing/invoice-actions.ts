import { stringify } from 'csv-stringify/sync';
import type { IssuedInvoice } from '../../headend/billing/invoices/invoice-desk.ts';
import { readSessionOfLine, titleOf } from '../../headend/billing/invoices/invoice-words.ts';
import type { InvoiceDocument, InvoiceLine } from '../../headend/billing/invoices/invoice.ts';
import { OperatorClient } from '../headend/operator-client.ts';
import { print } from '../options/card-option.ts';
import { formatTime } from '../terminal/time.ts';
import type { CreditOptions, FormOptions } from './billing-invoices.ts';

/** What the API says of an invoice. */
type Shown = Omit<IssuedInvoice, 'document'> & InvoiceDocument;

const PATH = '/v1/operator/billing';
/** Invoices that are asked for at a time. */
const PAGE = 100;

const COLUMNS = [
  'invoice',
  'corrects',
  'issued',
  'account',
  'month',
  'entry',
  'event',
  'time',
  'service',
  'session',
  'from',
  'to',
  'octets',
  'price',
  'card',
  'note',
  'amount',
  'currency',
  'dispute',
];

export async function issue(period: string, config: string): Promise<void> {
  const client = await OperatorClient.open(config);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The API's schema of the route says so.
  const answer = (await client.ask('PUT', `${PATH}/periods/${encodeURIComponent(period)}/invoices`)) as {
    issued: number;
  };
  process.stdout.write(`${answer.issued} invoices of ${period} were issued\n`);
}

/** Lists invoices, all of them that were asked for. */
export async function list({
  config,
  account,
  period,
  json,
  csv,
}: FormOptions & { readonly account?: string; readonly period?: string }): Promise<void> {
  const client = await OperatorClient.open(config);
  if (csv) process.stdout.write(stringify([COLUMNS]));
  const all: Shown[] = [];
  for (let after = 0; ;) {
    const query = new URLSearchParams({
      after: String(after),
      limit: String(PAGE),
      ...(account !== undefined && { account }),
      ...(period !== undefined && { period }),
    });
    const answer = await client.ask('GET', `${PATH}/invoices?${query.toString()}`);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The API's schema of the route says so.
    const { invoices } = answer as { readonly invoices: readonly Shown[] };
    if (csv) process.stdout.write(toCsv(invoices));
    else if (json) all.push(...invoices);
    else for (const invoice of invoices) process.stdout.write(`${describeInvoice(invoice)}\n`);
    if (invoices.length < PAGE) break;
    after = invoices.at(-1)!.number;
  }
  if (json && !csv) process.stdout.write(`${JSON.stringify({ invoices: all })}\n`);
}

export async function show(number: number, options: FormOptions): Promise<void> {
  const client = await OperatorClient.open(options.config);
  const path = `${PATH}/invoices/${number}`;
  if (options.html) {
    process.stdout.write(await client.read(`${path}/page`));
    return;
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The API's schema of the route says so.
  const invoice = (await client.ask('GET', path)) as Shown;
  if (options.csv) process.stdout.write(stringify([COLUMNS]) + toCsv([invoice]));
  else print(options, invoice, describe(invoice));
}

export async function credit(name: string, { config, invoice, json, ...body }: CreditOptions): Promise<void> {
  const client = await OperatorClient.open(config);
  const path = `${PATH}/invoices/${invoice}/credit-notes/${encodeURIComponent(name)}`;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The API's schema of the route says so.
  const issued = (await client.ask('PUT', path, body)) as Shown;
  print({ ...(json && { json }) }, issued, describe(issued));
}

/** A name is the user's own: it must not become a formula of a spreadsheet. An amount below zero is none. */
function toCsv(invoices: readonly Shown[]): string {
  const rows = invoices.flatMap((invoice) => invoice.lines.map((line) => toRow(invoice, line)));
  return stringify(rows, {
    escape_formulas: true,
    cast: { object: (value) => ({ value: String(Reflect.get(value, 'amount')), escape_formulas: false }) },
  });
}

function toRow(
  { number, corrects, issuedAt, account, period }: Shown,
  line: InvoiceLine,
): (string | number | object)[] {
  const [amount = '', currency = ''] = line.amount.split(' ');
  return [
    number,
    corrects ?? '',
    formatTime(issuedAt),
    account,
    period,
    line.entry === 0 ? '' : line.entry,
    line.kind,
    formatTime(line.at),
    line.service ?? '',
    line.session ?? '',
    line.from === null ? '' : formatTime(line.from),
    line.to === null ? '' : formatTime(line.to),
    line.octets ?? '',
    line.price ?? '',
    line.card ?? '',
    line.note ?? '',
    { amount },
    currency,
    line.dispute ?? '',
  ];
}

function describeInvoice(invoice: Shown): string {
  const { account, period, payable } = invoice;
  return `${titleOf(invoice)}: ${account}, ${period}, to be paid ${payable}`;
}

function describe(invoice: Shown): string[] {
  const { lines, taxes, total, paidByCard, carriedFrom, carriedTo } = invoice;
  return [
    describeInvoice(invoice),
    ...lines.flatMap((line) => [
      `  ${line.amount} on ${formatTime(line.at)}${line.service === null ? '' : `, service ${line.service}`}` +
        (line.entry === 0 ? '' : ` (entry ${line.entry})`),
      ...readSessionOfLine(line).map((text) => `    ${text}`),
    ]),
    `  total ${total}, of it paid by card ${paidByCard}`,
    ...taxes.map(
      ({ rule, rate, service, amount }) => `  contains ${amount} of ${rule}, ${rate / 100} % of service ${service}`,
    ),
    `  carried from the last invoice ${carriedFrom}, to the next ${carriedTo}`,
  ];
}
