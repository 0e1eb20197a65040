import { equalTags } from '../../../apdu/octets.ts';
import { makeProblem, type Problem } from '../../contract/answers/problem.ts';
import { BILL_HASH, BILL_REQUEST } from '../../contract/bill/bill-request.ts';
import { isSkewed } from '../../contract/requests/requested-time.ts';
import type { CardAuthentication } from './card-authentication.ts';

/**
 * Tells whose bill is asked for: the card's own MAC says so.
 * @param now seconds since 1970.
 * @returns the id of the card, 8 octets, or the problem that it is answered with.
 */
export function openBillRequest(
  authentication: Pick<CardAuthentication, 'open'>,
  octets: Uint8Array,
  now: number,
): { readonly cardId: Uint8Array } | { readonly problem: Problem } {
  const message = authentication.open(octets);
  if (typeof message === 'string') return { problem: makeProblem(message) };
  if (message.what !== 'request' || message.request.kind !== BILL_REQUEST) return { problem: makeProblem('malformed') };
  const { request } = message;
  if (!equalTags(request.sessionHash, BILL_HASH)) return { problem: makeProblem('unknown-offer') };
  if (isSkewed(request, now)) return { problem: makeProblem('skewed', { now }) };
  return { cardId: request.cardId };
}
