import { Type } from 'typebox';
import { formatCardId, parseCardId } from '../../../../apdu/decode-module/card-id.ts';
import { fromHex, toHex } from '../../../../apdu/octets.ts';
import { currencyByNumber } from '../../../money/currency.ts';
import type { DisputeDesk } from '../../billing/disputes/dispute-desk.ts';
import type { Suspect } from '../../receipts/fraud-list.ts';
import type { ReconciledSpan, Reconciliation } from '../../receipts/reconciler.ts';
import type { Api } from '../api.ts';
import { requireOperator, type OperatorAccess } from '../operator-access.ts';
import { describeDispute, DISPUTE } from '../replies/ledger-reply.ts';
import { sendProblem } from '../replies/problem-reply.ts';

/** What is held against each other; undefined where no receipts are taken. */
export interface ReconcilePorts {
  readonly operators: OperatorAccess;
  readonly reconciling:
    | {
        reconcile(span: ReconciledSpan): Promise<Reconciliation>;
        listFraud(span: ReconciledSpan): Promise<readonly Suspect[]>;
      }
    | undefined;
  readonly disputes: DisputeDesk;
}

const TIME = Type.Optional(Type.String({ pattern: '^[0-9]{1,10}$', description: 'seconds since 1970' }));
const SPAN = Type.Object({
  from: TIME,
  to: TIME,
  service: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,9}$', description: 'number of one service alone' })),
  card: Type.Optional(Type.String({ maxLength: 40, description: 'id of one card alone' })),
});
const DIGITS = Type.String({ description: 'micro-units, digits' });
const TOTAL = Type.Object({
  service: Type.Integer(),
  currency: Type.String(),
  receipts: Type.Integer(),
  octets: Type.String({ description: 'digits' }),
  amount: DIGITS,
  torn: DIGITS,
});
const DIFFERENCE = Type.Object({
  kind: Type.String(),
  card: Type.String(),
  number: Type.Union([Type.Integer(), Type.Null()]),
  service: Type.Union([Type.Integer(), Type.Null()]),
  from: Type.Integer(),
  to: Type.Integer(),
  amount: DIGITS,
  why: Type.String(),
});
const SUSPECT = Type.Object({
  kind: Type.String(),
  card: Type.String(),
  number: Type.Integer(),
  service: Type.Union([Type.Integer(), Type.Null()]),
  at: Type.Integer(),
  why: Type.String(),
});
const MAX_U32 = 0xffff_ffff;

/** Adds what operators hold against each other: receipts, what was sent, the ledger. */
export function addReconcileRoutes(api: Api, { operators, reconciling, disputes }: ReconcilePorts): void {
  const common = { tags: ['operators'], security: [{ operator: [] }] };
  const onRequest = requireOperator(operators);
  const none = {
    status: 404,
    detail: 'No receipts are taken here; give the head-end an issuer store with the receipt master.',
  };
  api.get(
    '/v1/operator/reconciliation',
    {
      schema: {
        ...common,
        summary: 'Receipts of cards against what was sent and the ledger; what differs, and why',
        querystring: SPAN,
        response: {
          200: Type.Object({
            totals: Type.Array(TOTAL),
            differences: Type.Array(DIFFERENCE),
            isCut: Type.Boolean({ description: 'whether there are more differences than are told' }),
            disputes: Type.Array(DISPUTE, { description: 'that are open, of whatever time, service and card' }),
          }),
        },
      },
      onRequest,
    },
    async (request, reply) => {
      if (reconciling === undefined) return sendProblem(reply, none);
      const { totals, differences, isCut } = await reconciling.reconcile(readSpan(request.query));
      return {
        totals: totals.map(({ service, currency, receipts, octets, amount, torn }) => ({
          service,
          currency: currencyByNumber(currency).code,
          receipts,
          octets: octets.toString(),
          amount: amount.toString(),
          torn: torn.toString(),
        })),
        differences: differences.map(({ kind, cardId, number, service, from, to, amount, why }) => ({
          kind,
          card: formatCardId(fromHex(cardId)),
          number: number ?? null,
          service: service ?? null,
          from,
          to,
          amount: amount.toString(),
          why,
        })),
        isCut,
        disputes: (await disputes.list({ state: 'open' })).map(describeDispute),
      };
    },
  );
  api.get(
    '/v1/operator/fraud',
    {
      schema: {
        ...common,
        summary: 'What no honest card shows',
        querystring: SPAN,
        response: { 200: Type.Object({ suspects: Type.Array(SUSPECT) }) },
      },
      onRequest,
    },
    async (request, reply) => {
      if (reconciling === undefined) return sendProblem(reply, none);
      const suspects = await reconciling.listFraud(readSpan(request.query));
      return {
        suspects: suspects.map(({ kind, cardId, number, service, at, why }) => ({
          kind,
          card: formatCardId(fromHex(cardId)),
          number,
          service: service ?? null,
          at,
          why,
        })),
      };
    },
  );
}

function readSpan(query: {
  readonly from?: string;
  readonly to?: string;
  readonly service?: string;
  readonly card?: string;
}): ReconciledSpan {
  const { from = '0', to = `${MAX_U32}`, service, card } = query;
  return {
    from: Number(from),
    to: Math.min(Number(to), MAX_U32),
    service: service === undefined ? undefined : Number(service),
    cardId: card === undefined ? undefined : toHex(parseCardId(card)),
  };
}
