import { Type } from 'typebox';
import { REQUEST } from '../../../../apdu/layout/requests.ts';
import { detailsOf, PROBLEMS } from '../../../contract/answers/problem.ts';
import type { Reply } from '../../requests/reply.ts';
import type { Api } from '../api.ts';

/** Who answers what cards ask. */
export interface RequestPorts {
  readonly desk: { answer(octets: Uint8Array): Promise<Reply> };
}

const OCTETS = 'application/octet-stream';

/** Adds what cards ask for: the card's own MAC says who asks, and nothing else does. */
export function addRequestRoutes(api: Api, { desk }: RequestPorts): void {
  api.addContentTypeParser(OCTETS, { parseAs: 'buffer', bodyLimit: REQUEST.length }, (_request, body, done) => {
    done(null, body);
  });
  api.post(
    '/v1/requests',
    {
      schema: {
        summary: 'A request, a confirm or a leave record, as the card signed it',
        description: `Octets of firmware-notes/protocol.md 4.5. Problems: ${Object.keys(PROBLEMS).join(', ')}.`,
        tags: ['receivers'],
        consumes: [OCTETS],
        response: {
          200: Type.Unsafe<string>({ description: 'The answer, JSON; firmware-notes/head-end.md' }),
          default: Type.Unsafe<string>({ description: 'Problem details, RFC 9457' }),
        },
      },
      serializerCompiler: () => (text: unknown) => String(text),
    },
    async (request, reply) => {
      const { body } = request;
      const answered = await desk.answer(body instanceof Uint8Array ? new Uint8Array(body) : new Uint8Array(0));
      if ('answer' in answered) return reply.type('application/json').send(answered.answer);
      const { status, ...details } = detailsOf(answered.problem);
      return reply
        .code(status)
        .type('application/problem+json')
        .send(JSON.stringify({ ...details, status }));
    },
  );
}
