import type { Ceilings } from '../../../apdu/decode-module/keys/ceilings.ts';
import type { Tester } from '../tester.ts';
import { sealContent, signOrder, sealSegment, sealService, type TermOptions } from './messages.ts';

/** Credit, a purchase, a content key with these terms, a session. @param credit micro-units; 0 loads none. */
export async function play(
  tester: Tester,
  credit: bigint,
  terms: TermOptions,
  ceilings: Partial<Ceilings> = {},
): Promise<void> {
  if (credit > 0n) await tester.loadCredit(signOrder(1, credit));
  await tester.loadKey(sealService(1, ceilings));
  await tester.loadKey(sealSegment());
  await tester.loadKey(sealContent(terms));
  await tester.open();
}

/** What a reset or a cut took, brought again: keys in RAM, a session. */
export async function replay(tester: Tester, terms: TermOptions): Promise<void> {
  await tester.select();
  await tester.loadKey(sealSegment());
  await tester.loadKey(sealContent(terms));
  await tester.open();
}
