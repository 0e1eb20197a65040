import { formatAnswer } from '../../contract/answers/answer.ts';
import {
  detailsOf,
  makeProblem,
  parseProblem,
  type Problem,
  type ProblemCode,
} from '../../contract/answers/problem.ts';
import { deadlineOf } from '../../contract/requests/requested-time.ts';
import type { SoldSession } from '../membership/sold-session.ts';
import type { Applied, Refusal } from './joins.ts';

/** What a card is answered: an answer as it is sent, JSON; or a problem. */
export type Reply = { readonly answer: string } | { readonly problem: Problem };

/** Writes a reply for the database. */
export function textOfReply(reply: Reply): string {
  return 'answer' in reply ? reply.answer : `${PROBLEM}${JSON.stringify(detailsOf(reply.problem))}`;
}

/** Reads what {@link textOfReply} wrote. */
export function parseReply(text: string): Reply {
  if (!text.startsWith(PROBLEM)) return { answer: text };
  return { problem: parseProblem(new TextEncoder().encode(text.slice(PROBLEM.length))) };
}

/** An answer begins with a brace. */
const PROBLEM = 'problem ';

/**
 * The reply to what was asked.
 * @param requestId 8 octets in hexadecimal, where it was a request.
 */
export function replyOf(applied: Applied | Refusal, requestId?: string, sold?: SoldSession): Reply {
  if ('problem' in applied) {
    const { problem, particulars } = applied;
    return refuse(problem, particulars === undefined ? {} : { particulars });
  }
  const { outcome, member, messages, keysUntil, charge } = applied;
  const { service, from, to } = member;
  const hasDeadline = sold?.slots !== undefined && (outcome === 'joined' || outcome === 'extended');
  const answer = formatAnswer({
    ...(requestId !== undefined && { requestId }),
    outcome,
    service,
    from,
    to,
    ...(hasDeadline && { deadline: deadlineOf(to, sold.slots) }),
    messages,
    ...(keysUntil !== undefined && { keysUntil }),
    ...(charge !== undefined && { charge }),
  });
  return { answer };
}

export function refuse(
  code: ProblemCode,
  options: Parameters<typeof makeProblem>[1] = {},
): { readonly problem: Problem } {
  return { problem: makeProblem(code, options) };
}
