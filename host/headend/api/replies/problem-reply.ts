import { STATUS_CODES } from 'node:http';
import type { FastifyReply } from 'fastify';

/** Problem details (RFC 9457) that are not of a receiver's request. */
export interface ApiProblem {
  readonly status: number;
  /** What happened and what to do next. */
  readonly detail: string;
  readonly errors?: readonly { readonly field: string; readonly message: string }[];
}

export function sendProblem(reply: FastifyReply, { status, detail, errors }: ApiProblem): FastifyReply {
  return reply
    .code(status)
    .type('application/problem+json')
    .send(
      JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, detail, ...(errors && { errors }) }),
    );
}
