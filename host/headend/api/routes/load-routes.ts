import { Type } from 'typebox';
import { parseCardId } from '../../../../apdu/decode-module/card-id.ts';
import { MAX_MONEY } from '../../../../apdu/layout/max-money.ts';
import { toHex } from '../../../../apdu/octets.ts';
import { detailsOf, makeProblem, type Problem } from '../../../contract/answers/problem.ts';
import { MAX_CARD_FILE } from '../../../contract/card-files/card-file.ts';
import {
  formatLoadReply,
  LOAD_KEY,
  type LoadQuestion,
  type LoadReply,
  MAX_VOUCHER,
} from '../../../contract/loads/load-messages.ts';
import { parseMoney } from '../../../money/amount.ts';
import type { Grant, VoucherBatch } from '../../loads/credit-book.ts';
import type { Api } from '../api.ts';
import { operatorOf, requireOperator, type OperatorAccess } from '../operator-access.ts';
import { sendProblem } from '../replies/problem-reply.ts';

/** Who loads cards, and what was paid for; undefined where nobody does. */
export interface LoadPorts {
  readonly operators: OperatorAccess;
  readonly loads: {
    readonly desk:
      | {
          ask(question: LoadQuestion): Promise<LoadReply | { readonly problem: Problem }>;
          prove(proof: string): Promise<{ readonly number: number } | { readonly problem: Problem }>;
        }
      | undefined;
    readonly credits:
      | {
          grant(grant: Grant, operator: string): Promise<number>;
          makeVouchers(batch: VoucherBatch, operator: string): Promise<readonly string[]>;
        }
      | undefined;
  };
  /** Logs what an operator did. */
  readonly note: (operator: string, action: string, subject: string) => Promise<void>;
}

const FILE = Type.String({
  minLength: 1,
  maxLength: MAX_CARD_FILE,
  description: 'a file of a card and its issuer, as tollcast card writes it',
});
const CLOSED = { additionalProperties: false };
const NAME = Type.String({
  pattern: '^[\\w.@-]{1,60}$',
  description: 'as its operator calls it; the same again changes nothing',
});
const AMOUNT = Type.String({ maxLength: 40, description: 'as in "10.00 USD"' });
const PROBLEM = Type.Unsafe<string>({ description: 'Problem details, RFC 9457' });
const NONE = { status: 404, detail: 'Cards are not loaded here; write loads: true into the configuration.' };

/** Adds how cards are loaded that are elsewhere, and what operators were paid for. */
export function addLoadRoutes(api: Api, { operators, loads, note }: LoadPorts): void {
  const isText = { serializerCompiler: () => (text: unknown) => String(text) };
  const describe = 'Problems are those of firmware-notes/head-end.md.';
  api.post(
    '/v1/loads',
    {
      ...isText,
      bodyLimit: 2 * MAX_CARD_FILE,
      schema: {
        summary: 'Ask for the load that was paid for; the same key claims the same payment',
        description: describe,
        tags: ['receivers'],
        headers: Type.Object({ 'idempotency-key': Type.String({ pattern: LOAD_KEY.source }) }),
        body: Type.Object(
          { request: FILE, voucher: Type.Optional(Type.String({ minLength: 1, maxLength: MAX_VOUCHER })) },
          CLOSED,
        ),
        response: { 200: Type.Unsafe<string>({ description: 'What the card is to do, JSON' }), default: PROBLEM },
      },
    },
    async (request, reply) => {
      const key = request.headers['idempotency-key'];
      const answer = (await loads.desk?.ask({ ...request.body, key })) ?? { problem: makeProblem('no-loads') };
      if (!('problem' in answer)) return reply.type('application/json').send(formatLoadReply(answer));
      const { status, ...details } = detailsOf(answer.problem);
      const text = JSON.stringify({ ...details, status });
      return reply.code(status).type('application/problem+json').send(text);
    },
  );
  api.post(
    '/v1/loads/proofs',
    {
      ...isText,
      bodyLimit: 2 * MAX_CARD_FILE,
      schema: {
        summary: 'The proof that a card has carried out an order; it may come again',
        description: describe,
        tags: ['receivers'],
        body: Type.Object({ proof: FILE }, CLOSED),
        response: { 200: Type.Unsafe<string>({ description: 'The number of the order, JSON' }), default: PROBLEM },
      },
    },
    async (request, reply) => {
      const answer = (await loads.desk?.prove(request.body.proof)) ?? { problem: makeProblem('no-loads') };
      if (!('problem' in answer)) return reply.type('application/json').send(JSON.stringify(answer));
      const { status, ...details } = detailsOf(answer.problem);
      const text = JSON.stringify({ ...details, status });
      return reply.code(status).type('application/problem+json').send(text);
    },
  );
  const common = { tags: ['operators'], security: [{ operator: [] }] };
  const onRequest = requireOperator(operators);
  api.put(
    '/v1/operator/credits/:name',
    {
      schema: {
        ...common,
        summary: 'Let a card fetch a load that was paid at the desk, or a line of credit',
        params: Type.Object({ name: NAME }),
        body: Type.Object(
          {
            card: Type.String({ maxLength: 40, description: 'card id' }),
            amount: AMOUNT,
            kind: Type.Enum(['cash', 'credit limit']),
          },
          CLOSED,
        ),
        response: { 200: Type.Object({ credit: Type.Integer() }) },
      },
      onRequest,
    },
    async (request, reply) => {
      if (loads.credits === undefined) return sendProblem(reply, NONE);
      const { name } = request.params;
      const { card, amount, kind } = request.body;
      const cardId = toHex(parseCardId(card));
      const money = parseMoney(amount, MAX_MONEY);
      const credit = await loads.credits.grant({ name, kind, cardId, money }, operatorOf(request));
      await note(operatorOf(request), `credit ${amount} (${kind})`, `${name}, card ${card}`);
      return { credit };
    },
  );
  api.put(
    '/v1/operator/vouchers/:name',
    {
      schema: {
        ...common,
        summary: 'Make vouchers; the same again makes no others, and tells the same codes',
        params: Type.Object({ name: NAME }),
        body: Type.Object({ amount: AMOUNT, count: Type.Integer({ minimum: 1, maximum: 10_000 }) }, CLOSED),
        response: { 200: Type.Object({ codes: Type.Array(Type.String()) }) },
      },
      onRequest,
    },
    async (request, reply) => {
      if (loads.credits === undefined) return sendProblem(reply, NONE);
      const { name } = request.params;
      const { amount, count } = request.body;
      const batch = { name, count, money: parseMoney(amount, MAX_MONEY) };
      const codes = await loads.credits.makeVouchers(batch, operatorOf(request));
      await note(operatorOf(request), 'vouchers', `${name}, ${count} of ${amount}`);
      return { codes: [...codes] };
    },
  );
}
