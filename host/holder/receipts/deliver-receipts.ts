import type { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { RECEIPT_RING } from '../../../apdu/decode-module/money/receipt.ts';
import { concat } from '../../../apdu/octets.ts';
import { parseProblem } from '../../contract/answers/problem.ts';
import { type PostMessage, RequestRefusedError } from '../requests/subscription.ts';

/** Uses a card; between two uses others have it. */
export type UseCard = <T>(work: (module: DecodeModule) => Promise<T>) => Promise<T>;

/** Receipts as they are sent, and what the card said of them. */
interface Delivery {
  readonly octets: Uint8Array;
  readonly count: number;
  readonly written: number;
  readonly acknowledged: number;
}

/**
 * Delivers the receipts that a card has to its head-end, and lets the card forget what the head-end has. It can be
 * repeated wherever it was interrupted. While the head-end is asked, the card is free.
 * @param post to the address that takes receipts.
 * @returns how many receipts were delivered.
 * @throws RequestRefusedError, TransportError when there is no answer, and what the card throws.
 */
export async function deliverReceipts(use: UseCard, post: PostMessage): Promise<number> {
  let delivery = await use((module) => readReceipts(module));
  if (delivery.count === 0) return 0;
  for (let isSecond = false; ; isSecond = true) {
    const { status, body } = await post(delivery.octets);
    if (status === 200) {
      await use((module) => module.acknowledgeReceipts(body));
      return delivery.count;
    }
    const problem = parseProblem(body);
    // The head-end lacks some that the issuer has acknowledged; the card keeps the last ones all the same.
    const { last } = problem;
    const hasThem = last !== undefined && last < delivery.acknowledged && delivery.written - last <= RECEIPT_RING;
    if (isSecond || problem.code !== 'receipts-missing' || !hasThem) throw new RequestRefusedError(problem);
    delivery = await use((module) => readReceipts(module, last));
  }
}

/** @param after number of the last receipt that is not asked for; the last acknowledged one when left out. */
async function readReceipts(module: DecodeModule, after?: number): Promise<Delivery> {
  const { receiptsWritten: written, receiptsAcknowledged: acknowledged } = await module.getPurse();
  const receipts: Uint8Array[] = [];
  if (written > acknowledged) {
    for (let number = (after ?? acknowledged) + 1; number <= written; number++) {
      receipts.push(await module.getReceipt(number));
    }
  }
  return { octets: concat(...receipts), count: receipts.length, written, acknowledged };
}
