import { Type } from 'typebox';
import { parseMoney } from '../../../money/amount.ts';
import type { InvoiceDesk, IssuedInvoice } from '../../billing/invoices/invoice-desk.ts';
import { type InvoiceParties, renderInvoice } from '../../billing/invoices/invoice-page.ts';
import { parseDebtor } from '../../ledger/ledger-account.ts';
import { parsePeriod } from '../../ledger/ledger-period.ts';
import type { Api } from '../api.ts';
import { operatorOf, requireOperator, type OperatorAccess } from '../operator-access.ts';
import { DISPUTE_STATE } from '../replies/ledger-reply.ts';

/** What operators see of invoices, and issue. */
export interface InvoicePorts {
  readonly operators: OperatorAccess;
  readonly invoices: InvoiceDesk;
  /** Who is on an invoice. @param account it is sent to. */
  readonly findParties: (account: string) => Promise<InvoiceParties>;
  /** Logs what an operator did. */
  readonly note: (operator: string, action: string, subject: string) => Promise<void>;
}

const NULLABLE_TEXT = Type.Union([Type.String(), Type.Null()]);
const NULLABLE_NUMBER = Type.Union([Type.Integer(), Type.Null()]);
const LINE = Type.Object({
  entry: Type.Integer({ description: 'of the ledger; 0 for the line of a credit note' }),
  kind: Type.String(),
  at: Type.Integer({ description: 'seconds since 1970' }),
  service: NULLABLE_NUMBER,
  card: Type.Union([Type.String({ description: 'that has paid it' }), Type.Null()]),
  session: NULLABLE_TEXT,
  from: NULLABLE_NUMBER,
  to: NULLABLE_NUMBER,
  octets: NULLABLE_TEXT,
  price: NULLABLE_TEXT,
  note: NULLABLE_TEXT,
  amount: Type.String(),
  dispute: Type.Optional(DISPUTE_STATE),
});
const INVOICE = Type.Object({
  number: Type.Integer(),
  issuedAt: Type.Integer({ description: 'seconds since 1970' }),
  corrects: Type.Union([Type.Integer({ description: 'of a credit note: its invoice' }), Type.Null()]),
  account: Type.String(),
  period: Type.String(),
  lines: Type.Array(LINE),
  taxes: Type.Array(
    Type.Object({
      rule: Type.String(),
      rate: Type.Integer({ description: 'basis points' }),
      service: Type.Integer(),
      amount: Type.String({ description: 'contained in the lines of the service' }),
    }),
  ),
  total: Type.String(),
  paidByCard: Type.String({ description: 'of the total' }),
  carriedFrom: Type.String({ description: 'what the invoice before left' }),
  payable: Type.String(),
  carriedTo: Type.String({ description: 'what is too small to be paid' }),
});
const NUMBER = Type.Object({ number: Type.String({ pattern: '^[1-9][0-9]{0,14}$' }) });
const NAME = Type.String({
  pattern: '^[\\w.@-]{1,60}$',
  description: 'of the credit note; the same again changes nothing',
});
const CLOSED = { additionalProperties: false };

/** Adds invoices and credit notes. */
export function addInvoiceRoutes(api: Api, { operators, invoices, findParties, note }: InvoicePorts): void {
  const common = { tags: ['billing'], security: [{ operator: [] }] };
  const onRequest = requireOperator(operators);

  api.put(
    '/v1/operator/billing/periods/:period/invoices',
    {
      schema: {
        ...common,
        summary: 'Issue the invoices of a month that is closed; who has one gets no other',
        params: Type.Object({ period: Type.String({ maxLength: 20, description: '2026-11' }) }),
        response: { 200: Type.Object({ issued: Type.Integer() }) },
      },
      onRequest,
    },
    async (request) => {
      const period = parsePeriod(request.params.period);
      const issued = await invoices.issue(period);
      await note(operatorOf(request), 'invoice', `month ${period}, ${issued} issued`);
      return { issued };
    },
  );
  api.get(
    '/v1/operator/billing/invoices',
    {
      schema: {
        ...common,
        summary: 'Invoices and credit notes, by their numbers',
        querystring: Type.Object(
          {
            account: Type.Optional(Type.String({ maxLength: 80 })),
            period: Type.Optional(Type.String({ maxLength: 20 })),
            after: Type.Optional(Type.String({ pattern: '^[0-9]{1,15}$', description: 'higher numbers' })),
            limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,2}$', description: '100 when left out' })),
          },
          CLOSED,
        ),
        response: { 200: Type.Object({ invoices: Type.Array(INVOICE) }) },
      },
      onRequest,
    },
    async ({ query: { account, period, after, limit = '100' } }) => {
      const found = await invoices.list({
        ...(account !== undefined && { account: parseDebtor(account) }),
        ...(period !== undefined && { period: parsePeriod(period) }),
        ...(after !== undefined && { after: Number(after) }),
        limit: Number(limit),
      });
      return { invoices: found.map(describeInvoice) };
    },
  );
  api.get(
    '/v1/operator/billing/invoices/:number',
    {
      schema: { ...common, summary: 'An invoice or a credit note', params: NUMBER, response: { 200: INVOICE } },
      onRequest,
    },
    async ({ params: { number } }) => describeInvoice(await invoices.find(Number(number))),
  );
  api.get(
    '/v1/operator/billing/invoices/:number/page',
    { schema: { ...common, summary: 'An invoice as a page to read and print, HTML', params: NUMBER }, onRequest },
    async ({ params: { number } }, reply) => {
      const invoice = await invoices.find(Number(number));
      const page = renderInvoice(invoice, await findParties(invoice.document.account));
      return reply
        .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
        .type('text/html; charset=utf-8')
        .send(page);
    },
  );
  api.put(
    '/v1/operator/billing/invoices/:number/credit-notes/:name',
    {
      schema: {
        ...common,
        summary: 'Take something of an invoice back, by a credit note',
        params: Type.Object({ ...NUMBER.properties, name: NAME }),
        body: Type.Object(
          {
            service: Type.Integer({ minimum: 1, maximum: 0xffff_ffff, description: 'number of the service' }),
            amount: Type.String({ description: '"2.50 USD"', maxLength: 40 }),
            note: Type.String({ description: 'why', minLength: 1, maxLength: 200 }),
          },
          CLOSED,
        ),
        response: { 200: INVOICE },
      },
      onRequest,
    },
    async (request) => {
      const { number, name } = request.params;
      const { service, amount, note: reason } = request.body;
      const issued = await invoices.credit(Number(number), { name, service, note: reason, ...parseMoney(amount) });
      await note(operatorOf(request), 'credit', `invoice ${number} by credit note ${issued.number}`);
      return describeInvoice(issued);
    },
  );
}

function describeInvoice({ document, ...invoice }: IssuedInvoice) {
  const { lines, taxes, ...rest } = document;
  return { ...invoice, ...rest, lines: [...lines], taxes: [...taxes] };
}
