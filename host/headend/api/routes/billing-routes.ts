import { type Static, Type } from 'typebox';
import { formatMoney, type Money, parseMoney } from '../../../money/amount.ts';
import { currencyByNumber } from '../../../money/currency.ts';
import type { BillingDesk } from '../../billing/billing-desk.ts';
import type { DisputeDesk } from '../../billing/disputes/dispute-desk.ts';
import { parseDebtor, parseLedgerAccount } from '../../ledger/ledger-account.ts';
import type { LedgerEntry } from '../../ledger/ledger-entry.ts';
import { parsePeriod } from '../../ledger/ledger-period.ts';
import {
  makePaymentEntry,
  makeRefundEntry,
  makeSettlementEntry,
  makeWriteOffEntry,
} from '../../ledger/make-entries.ts';
import type { Api } from '../api.ts';
import { operatorOf, requireOperator, type OperatorAccess } from '../operator-access.ts';
import { BALANCES, describeEntry, describeExplanation, EXPLANATION, LEDGER_ENTRY } from '../replies/ledger-reply.ts';

/** What operators see and do of the ledger. */
export interface BillingPorts {
  readonly operators: OperatorAccess;
  readonly billing: BillingDesk;
  readonly disputes: DisputeDesk;
  /** Logs what an operator did. */
  readonly note: (operator: string, action: string, subject: string) => Promise<void>;
}

const NAME = Type.String({
  pattern: '^[\\w.@-]{1,60}$',
  description: 'of the event, as its operator calls it; the same again changes nothing',
});
const AMOUNT = Type.String({ description: '"2.50 USD"', maxLength: 40 });
const NOTE = Type.Optional(Type.String({ description: 'why', minLength: 1, maxLength: 200 }));
const USER = Type.String({ description: 'user or provider, as an account of the ledger: user:NAME', maxLength: 80 });
const SERVICE_NUMBER = Type.Integer({ minimum: 1, maximum: 0xffff_ffff, description: 'number of the service' });
const CLOSED = { additionalProperties: false };
const PAID = Type.Object({ account: USER, amount: AMOUNT, note: NOTE }, CLOSED);
const REFUND = Type.Object({ account: USER, service: SERVICE_NUMBER, amount: AMOUNT, note: NOTE }, CLOSED);
const SETTLEMENT = Type.Object(
  {
    operator: Type.String({ minLength: 1, maxLength: 60, description: 'the other operator' }),
    service: SERVICE_NUMBER,
    amount: AMOUNT,
    note: NOTE,
  },
  CLOSED,
);
const QUERY = Type.Object(
  {
    account: Type.Optional(Type.String({ maxLength: 80 })),
    kind: Type.Optional(Type.String({ maxLength: 20 })),
    period: Type.Optional(Type.String({ maxLength: 20 })),
    after: Type.Optional(Type.String({ pattern: '^[0-9]{1,15}$', description: 'entries with a higher number' })),
    limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,3}$', description: '1000 when left out' })),
  },
  CLOSED,
);

/** Adds what operators ask of the ledger, and enter in it. */
export function addBillingRoutes(api: Api, { operators, billing, disputes, note }: BillingPorts): void {
  const common = { tags: ['billing'], security: [{ operator: [] }] };
  const onRequest = requireOperator(operators);

  api.get(
    '/v1/operator/billing/entries',
    {
      schema: {
        ...common,
        summary: 'What stands in the ledger, in its order',
        querystring: QUERY,
        response: { 200: Type.Object({ entries: Type.Array(LEDGER_ENTRY) }) },
      },
      onRequest,
    },
    async ({ query: { account, kind, period, after, limit = '1000' } }) => {
      const entries = await billing.entries({
        ...(account !== undefined && { account: parseLedgerAccount(account) }),
        ...(kind !== undefined && { kind }),
        ...(period !== undefined && { period: parsePeriod(period) }),
        ...(after !== undefined && { after: Number(after) }),
        limit: Number(limit),
      });
      const states = await disputes.states(entries.map(({ id }) => id));
      return { entries: entries.map((entry) => describeEntry(entry, states.get(entry.id))) };
    },
  );
  api.get(
    '/v1/operator/billing/balances',
    {
      schema: {
        ...common,
        summary: 'What each account has come to: on its left side (debit), or on its right one (credit)',
        querystring: Type.Object({ account: Type.Optional(Type.String({ maxLength: 80 })) }, CLOSED),
        response: { 200: BALANCES },
      },
      onRequest,
    },
    async ({ query: { account } }) => {
      const balances = await billing.balances(account === undefined ? undefined : parseLedgerAccount(account));
      return {
        balances: balances.map(({ account: name, currency, amount }) => ({
          account: name,
          debit: amount > 0n ? formatMoney(amount, currencyByNumber(currency)) : '',
          credit: amount < 0n ? formatMoney(-amount, currencyByNumber(currency)) : '',
        })),
        closed: (await billing.lastClosed()) ?? null,
        openDisputes: (await disputes.list({ state: 'open' })).length,
      };
    },
  );
  api.get(
    '/v1/operator/billing/entries/:id',
    {
      schema: {
        ...common,
        summary: 'An entry, and all that it came from',
        params: Type.Object({ id: Type.String({ pattern: '^[1-9][0-9]{0,14}$' }) }),
        response: { 200: EXPLANATION },
      },
      onRequest,
    },
    async ({ params: { id } }) => describeExplanation(await billing.explain(Number(id))),
  );

  /** Adds the route of one kind of event that operators enter. */
  function addEvent<S extends typeof PAID | typeof REFUND | typeof SETTLEMENT>(
    path: string,
    summary: string,
    body: S,
    make: (body: Static<S>, occasion: Occasion) => LedgerEntry,
  ): void {
    api.put(
      `/v1/operator/billing/${path}/:name`,
      {
        schema: {
          ...common,
          summary,
          params: Type.Object({ name: NAME }),
          body,
          response: { 200: LEDGER_ENTRY },
        },
        onRequest,
      },
      async (request) => {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The schema of the route has checked it.
        const asked = request.body as Static<S>;
        const { amount, currency } = parseMoney(asked.amount);
        const occasion = {
          source: request.params.name,
          at: billing.now,
          amount,
          currency: currency.number,
          ...(asked.note !== undefined && { note: asked.note }),
        };
        const kept = await billing.enter(make(asked, occasion));
        await note(operatorOf(request), `enter ${kept.kind}`, `${request.params.name}, entry ${kept.id}`);
        return describeEntry(kept);
      },
    );
  }
  addEvent('payments', 'Money that a user or provider paid', PAID, ({ account }, occasion) =>
    makePaymentEntry({ ...occasion, payer: parseDebtor(account) }),
  );
  addEvent('refunds', 'What is given back to a user for a service', REFUND, ({ account, service }, occasion) =>
    makeRefundEntry({ ...occasion, from: `refunds:${service}`, to: parseDebtor(account) }),
  );
  addEvent('write-offs', 'What a user owes and is given up', PAID, ({ account }, occasion) =>
    makeWriteOffEntry({ ...occasion, debtor: parseDebtor(account) }),
  );
  addEvent(
    'settlements',
    "A part of a service's revenue that is another operator's",
    SETTLEMENT,
    ({ operator, service }, occasion) => makeSettlementEntry({ ...occasion, operator, service }),
  );

  api.put(
    '/v1/operator/billing/entries/:id/correction',
    {
      schema: {
        ...common,
        summary: 'Take an entry back, once: both stay',
        params: Type.Object({ id: Type.String({ pattern: '^[1-9][0-9]{0,14}$' }) }),
        body: Type.Object({ note: Type.String({ description: 'why', minLength: 1, maxLength: 200 }) }, CLOSED),
        response: { 200: LEDGER_ENTRY },
      },
      onRequest,
    },
    async (request) => {
      const { id } = request.params;
      const kept = await billing.correct(Number(id), request.body.note);
      await note(operatorOf(request), 'correct', `entry ${id} by entry ${kept.id}`);
      return describeEntry(kept);
    },
  );
  api.put(
    '/v1/operator/billing/periods/:period/close',
    {
      schema: {
        ...common,
        summary: 'Close a month and all before it, for good',
        params: Type.Object({ period: Type.String({ maxLength: 20, description: '2026-11' }) }),
      },
      onRequest,
    },
    async (request, reply) => {
      const period = parsePeriod(request.params.period);
      await billing.close(period);
      await note(operatorOf(request), 'close', `month ${period}`);
      return reply.code(204).send();
    },
  );
}

/** What an operator says of every event. */
interface Occasion extends Omit<Money, 'currency'> {
  readonly source: string;
  readonly at: number;
  readonly currency: number;
  readonly note?: string;
}
