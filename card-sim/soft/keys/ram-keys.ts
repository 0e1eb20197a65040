import { CLASS_BIT } from '../../../apdu/decode-module/keys/content-terms.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { TARIFF } from '../../../apdu/decode-module/money/tariff.ts';
import { MODULE_CLASS } from '../../../apdu/layout/card.ts';
import { equalTags } from '../../../apdu/octets.ts';
import { allowsRating } from '../holder-pin.ts';
import type { PersistentState } from '../memory/persistent-state.ts';
import type { TransientState } from '../memory/transient-state.ts';
import { refuse } from '../refusal.ts';
import { dropBelow, moveBelow, placeOf } from './key-places.ts';
import { type ContentKey, exceedsPriceCeiling, type SegmentKey } from './keys.ts';

/**
 * Stores a segment key; without a free place the key with the lowest end goes (protocol 4.4). The same key with an
 * earlier end changes nothing.
 */
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
  if (before !== undefined && isSameKey(before, key)) {
    if (key.to < before.to) return;
    if (key.purchase === before.purchase) moveBelow(transient, before, key);
  }
  segments[place] = key;
  if (before !== undefined) dropBelow(transient, before);
}

/** Whether a key is one that is here, by its name and its octets. */
function isSameKey(held: SegmentKey | ContentKey, key: SegmentKey | ContentKey): boolean {
  return held.kind === key.kind && held.service === key.service && held.id === key.id && equalTags(held.key, key.key);
}

/**
 * Checks and stores a content key (protocol 4.4 steps 6 and 7). Without a free place a key goes that has ended, else
 * one of another service than the open session's. The same key with an earlier end changes nothing.
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
  const before = contents[place];
  if (before !== undefined && isSameKey(before, key) && key.to < before.to) return;
  contents[place] = key;
}
