import { Type } from 'typebox';
import { parseMoney } from '../../../money/amount.ts';
import type { DisputeDesk } from '../../billing/disputes/dispute-desk.ts';
import type { Api } from '../api.ts';
import { operatorOf, requireOperator, type OperatorAccess } from '../operator-access.ts';
import { describeDispute, DISPUTE, DISPUTE_STATE } from '../replies/ledger-reply.ts';

/** Who takes disputes, and rules them. */
export interface DisputePorts {
  readonly operators: OperatorAccess;
  readonly disputes: DisputeDesk;
  /** Logs what an operator did. */
  readonly note: (operator: string, action: string, subject: string) => Promise<void>;
}

const ID = Type.String({ pattern: '^[1-9][0-9]{0,14}$' });
const TEXT = Type.String({ minLength: 1, maxLength: 200 });
const CLOSED = { additionalProperties: false };

/** Adds disputes of entries of the ledger. */
export function addDisputeRoutes(api: Api, { operators, disputes, note }: DisputePorts): void {
  const common = { tags: ['billing'], security: [{ operator: [] }] };
  const onRequest = requireOperator(operators);
  api.get(
    '/v1/operator/billing/disputes',
    {
      schema: {
        ...common,
        summary: 'Disputes, in the order in which they were opened',
        querystring: Type.Object(
          {
            state: Type.Optional(DISPUTE_STATE),
            after: Type.Optional(Type.String({ pattern: '^[0-9]{1,15}$', description: 'with a higher number' })),
            limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,3}$', description: '1000 when left out' })),
          },
          CLOSED,
        ),
        response: { 200: Type.Object({ disputes: Type.Array(DISPUTE) }) },
      },
      onRequest,
    },
    async ({ query: { state, after = '0', limit = '1000' } }) => {
      const query = { ...(state !== undefined && { state }), after: Number(after), limit: Number(limit) };
      return { disputes: (await disputes.list(query)).map(describeDispute) };
    },
  );
  api.put(
    '/v1/operator/billing/entries/:id/dispute',
    {
      schema: {
        ...common,
        summary: 'Dispute an entry; the same again changes nothing',
        params: Type.Object({ id: ID }),
        body: Type.Object({ reason: TEXT }, CLOSED),
        response: { 200: DISPUTE },
      },
      onRequest,
    },
    async (request) => {
      const { id } = request.params;
      const operator = operatorOf(request);
      const dispute = await disputes.open(Number(id), request.body.reason, operator);
      await note(operator, 'dispute', `entry ${id}, dispute ${dispute.id}`);
      return describeDispute(dispute);
    },
  );
  api.put(
    '/v1/operator/billing/disputes/:id/ruling',
    {
      schema: {
        ...common,
        summary: 'Rule a dispute, once: what is upheld is given back by a further entry',
        params: Type.Object({ id: ID }),
        body: Type.Object(
          {
            ruling: Type.Enum(['upheld', 'rejected']),
            note: TEXT,
            amount: Type.Optional(
              Type.String({ description: '"2.50 USD", where not all of it is given back', maxLength: 40 }),
            ),
          },
          CLOSED,
        ),
        response: { 200: DISPUTE },
      },
      onRequest,
    },
    async (request) => {
      const { ruling: state, note: why, amount } = request.body;
      const { id } = request.params;
      const operator = operatorOf(request);
      const ruling = { state, note: why, ...(amount !== undefined && { amount: parseMoney(amount) }) };
      const dispute = await disputes.rule(Number(id), ruling, operator);
      await note(operator, state === 'upheld' ? 'uphold' : 'reject', `dispute ${id} of entry ${dispute.entryId}`);
      return describeDispute(dispute);
    },
  );
}
