import type { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { TollcastError } from '../../../apdu/errors.ts';
import { parseProblem } from '../../contract/answers/problem.ts';
import { encodeCardFile, parseCardFile } from '../../contract/card-files/card-file.ts';
import { type LoadReply, parseLoadReply } from '../../contract/loads/load-messages.ts';
import { requestLoad, takeLoad } from '../remote-load.ts';
import { type PostReply, RequestRefusedError } from '../requests/subscription.ts';

/** Sends JSON to the head-end. @throws TransportError when there is no answer; the same is then sent again. */
export type PostJson = (path: string, body: unknown, headers: Readonly<Record<string, string>>) => Promise<PostReply>;

/** What a card was loaded with. Amounts in micro-units. */
export type FetchedLoad = Pick<LoadReply, 'kind' | 'amount' | 'refund'> & {
  /** Whether it had been carried out before. */
  readonly repeated: boolean;
};

/** Orders that were open before, of which the card carries out one after the other. */
const MAX_EARLIER = 3;

/**
 * Fetches the load that was paid for, and has the card carry it out. It can be repeated with the same key wherever it
 * was interrupted, and is loaded once.
 * @param key 16 to 64 letters and digits: the same claims the same payment.
 * @param voucher its code; left out for what was paid at the operator's desk.
 * @throws RequestRefusedError, TransportError, TollcastError `CARD_NOT_ACTIVE`, and what the card throws.
 */
export async function fetchLoad(
  module: DecodeModule,
  post: PostJson,
  { key, voucher }: { readonly key: string; readonly voucher?: string | undefined },
): Promise<FetchedLoad> {
  for (let earlier = 0; earlier <= MAX_EARLIER; earlier++) {
    const request = encodeCardFile(await requestLoad(module));
    const body = { request, ...(voucher !== undefined && { voucher }) };
    const { state, order, ...load } = parseLoadReply(await ask(post, '/v1/loads', body, { 'idempotency-key': key }));
    if (state === 'done' || order === undefined) return { ...load, repeated: true };
    const proof = encodeCardFile(await takeLoad(module, parseCardFile(order, 'load order', 'what was answered')));
    // The card is loaded by now; its next request proves it too.
    await ask(post, '/v1/loads/proofs', { proof }, {});
    if (state === 'ordered') return { ...load, repeated: false };
  }
  throw new TollcastError('EARLIER_LOAD', 'one earlier load after the other was open, and is done now; load again');
}

async function ask(
  post: PostJson,
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>>,
): Promise<Uint8Array> {
  const answer = await post(path, body, headers);
  if (answer.status === 200) return answer.body;
  throw new RequestRefusedError(parseProblem(answer.body));
}
