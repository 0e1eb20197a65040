import { Type } from 'typebox';
import { detailsOf, makeProblem } from '../../../contract/answers/problem.ts';
import { MAX_RECEIPT_LIST } from '../../../contract/receipts/receipt-list.ts';
import type { ReceiptReply } from '../../receipts/receipt-desk.ts';
import type { Api } from '../api.ts';

/** Who takes receipts; undefined where nobody does. */
export interface ReceiptPorts {
  readonly receipts: { take(octets: Uint8Array): Promise<ReceiptReply> } | undefined;
}

const OCTETS = 'application/octet-stream';

/** Adds where cards deliver their receipts: the card's own MAC says whose they are. */
export function addReceiptRoutes(api: Api, { receipts }: ReceiptPorts): void {
  api.post(
    '/v1/receipts',
    {
      bodyLimit: MAX_RECEIPT_LIST,
      schema: {
        summary: 'Receipts of a card, as it signed them, in their order',
        description:
          'Octets of firmware-notes/protocol.md 7.5, 1 to 32 of them. The answer is the acknowledgement of 7.6. Problems: ' +
          'malformed, foreign-issuer, wrong-signature, no-billing, receipts-missing, receipts-disagree, unavailable.',
        tags: ['receivers'],
        consumes: [OCTETS],
        response: {
          200: Type.Unsafe<Buffer>({ description: 'The acknowledgement, 32 octets' }),
          default: Type.Unsafe<string>({ description: 'Problem details, RFC 9457' }),
        },
      },
      serializerCompiler: () => (text: unknown) => String(text),
    },
    async (request, reply) => {
      const { body } = request;
      const octets = body instanceof Uint8Array ? new Uint8Array(body) : new Uint8Array(0);
      const taken = (await receipts?.take(octets)) ?? { problem: makeProblem('no-billing') };
      if ('acknowledgement' in taken) return reply.type(OCTETS).send(Buffer.from(taken.acknowledgement));
      const { status, ...details } = detailsOf(taken.problem);
      return reply
        .code(status)
        .type('application/problem+json')
        .send(JSON.stringify({ ...details, status }));
    },
  );
}
