import { Type } from 'typebox';
import { detailsOf, type Problem } from '../../../contract/answers/problem.ts';
import type { UserBill } from '../../../contract/bill/user-bill.ts';
import type { Api } from '../api.ts';

/** Who tells users what they owe. */
export interface UserBillPorts {
  /** @param octets a request as the card signed it. */
  readonly findBill: (octets: Uint8Array) => Promise<{ readonly bill: UserBill } | { readonly problem: Problem }>;
}

/** Adds where users ask what they owe: the card's own MAC says who asks. */
export function addBillRoutes(api: Api, { findBill }: UserBillPorts): void {
  api.post(
    '/v1/bill',
    {
      schema: {
        summary: 'What the user of a card owes',
        description:
          'A request to stay (firmware-notes/protocol.md 4.5) under the session hash of firmware-notes/billing.md 6. ' +
          'Problems: malformed, foreign-issuer, wrong-signature, blocked-card, unknown-offer, skewed.',
        tags: ['receivers'],
        consumes: ['application/octet-stream'],
        response: {
          200: Type.Unsafe<string>({ description: 'User, what is owed in each currency, and the newest lines; JSON' }),
          default: Type.Unsafe<string>({ description: 'Problem details, RFC 9457' }),
        },
      },
      serializerCompiler: () => (text: unknown) => String(text),
    },
    async ({ body }, reply) => {
      const found = await findBill(body instanceof Uint8Array ? new Uint8Array(body) : new Uint8Array(0));
      if ('bill' in found) return reply.type('application/json').send(JSON.stringify(found.bill));
      const { status, ...details } = detailsOf(found.problem);
      return reply
        .code(status)
        .type('application/problem+json')
        .send(JSON.stringify({ ...details, status }));
    },
  );
}
