import { CLASS_BIT } from '../../../apdu/decode-module/keys/content-terms.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { TARIFF } from '../../../apdu/decode-module/money/tariff.ts';
import { MODULE_CLASS } from '../../../apdu/layout/card.ts';
import { allowsRating } from '../holder-pin.ts';
import type { PersistentState } from '../memory/persistent-state.ts';
import type { TransientState } from '../memory/transient-state.ts';
import { refuse } from '../refusal.ts';
import { dropBelow, placeOf } from './key-places.ts';
import { type ContentKey, exceedsPriceCeiling, type SegmentKey } from './keys.ts';

/** Stores a segment key; without a free place the key with the lowest end goes (protocol 4.4). */
export function storeSegment(transient: TransientState, key: SegmentKey): void {
  const { segments } = transient;
  let place = placeOf(segments, key.kind, key.service, key.id);
  if (place < 0) place = segments.indexOf(undefined);
  if (place < 0) {
    place = 0;
    segments.forEach((held, index) => {
      if (held!.to < segments[place]!.to) place = index;
    });
  }
  const before = segments[place];
  segments[place] = key;
  if (before !== undefined) dropBelow(transient, before);
}

/**
 * Checks and stores a content key (protocol 4.4 steps 6 and 7). Without a free place a key goes that has ended, else
 * one of another service than the open session's.
 * @param terms what the content asks of the card: classes as bits, rating as an age.
 * @throws Refusal
 */
export function storeContent(
  persistent: PersistentState,
  transient: TransientState,
  key: ContentKey,
  { classes, rating }: { readonly classes: number; readonly rating: number },
): void {
  const mayBeBlind = key.tariff === TARIFF.free || key.tariff === TARIFF.flat;
  if (key.kind === KIND.blind && !mayBeBlind) refuse(STATUS.BLIND_MISMATCH);
  const classBit = persistent.moduleClass === MODULE_CLASS.card ? CLASS_BIT.card : CLASS_BIT.soft;
  if ((classes & classBit) === 0) refuse(STATUS.CLASS_REFUSED);
  if (!allowsRating(persistent, transient, rating)) refuse(STATUS.ABOVE_RATING);
  if (exceedsPriceCeiling(key.purchase, key.tariff, key.price)) refuse(STATUS.ABOVE_CEILING);
  const { contents, session, highestMediaTime } = transient;
  let place = placeOf(contents, key.kind, key.service, key.id);
  if (place < 0) place = contents.indexOf(undefined);
  if (place < 0) place = contents.findIndex((held) => held!.to <= highestMediaTime);
  if (place < 0) place = contents.findIndex((held) => held!.service !== session?.service);
  if (place < 0) refuse(STATUS.NO_ROOM);
  contents[place] = key;
}
