import { detailsOf, parseProblem, type Problem } from '../../contract/answers/problem.ts';

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
