import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendProblem } from './replies/problem-reply.ts';

/** Who may change what is sold. */
export interface OperatorAccess {
  /** @returns the name of the operator whose token it is; undefined when it is nobody's. */
  identify(token: string): Promise<string | undefined>;
}

const signedIn = new WeakMap<FastifyRequest, string>();

/** Lets in nobody but operators, by their token (RFC 6750). */
export function requireOperator(operators: OperatorAccess) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    const [, token] = /^Bearer ([\w-]{16,100})$/.exec(request.headers.authorization ?? '') ?? [];
    const name = token === undefined ? undefined : await operators.identify(token);
    if (name === undefined) {
      reply.header('www-authenticate', 'Bearer');
      return sendProblem(reply, { status: 401, detail: 'This is for operators; send the token of one as Bearer.' });
    }
    signedIn.set(request, name);
    return undefined;
  };
}

/** The operator who is signed in. {@link requireOperator} comes first. */
export function operatorOf(request: FastifyRequest): string {
  const name = signedIn.get(request);
  if (name === undefined) throw new Error('nobody is signed in');
  return name;
}
