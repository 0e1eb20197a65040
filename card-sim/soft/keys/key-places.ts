import { type KeyEntry, encodeKeyList } from '../../../apdu/decode-module/keys/key-list.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { KEY_NAME } from '../../../apdu/layout/keys.ts';
import type { PersistentState } from '../memory/persistent-state.ts';
import type { TransientState } from '../memory/transient-state.ts';
import { refuse } from '../refusal.ts';
import type { CardKey, Purchase, SegmentKey } from './keys.ts';

/** The place that holds a key, -1 when none does. */
export function placeOf(places: readonly (CardKey | undefined)[], kind: number, service: number, id: number): number {
  return places.findIndex((key) => key?.kind === kind && key.service === service && key.id === id);
}

/** Drops the RAM keys that came through a key which is gone. */
export function dropBelow(transient: TransientState, gone: CardKey): void {
  const { segments, contents } = transient;
  segments.forEach((key, place) => {
    if (key?.purchase === gone) segments[place] = undefined;
  });
  contents.forEach((key, place) => {
    if (key?.purchase === gone || key?.parent === gone) contents[place] = undefined;
  });
}

/** Hangs the RAM keys that came through a key on the one that took its place. */
export function moveBelow(transient: TransientState, from: Purchase | SegmentKey, to: Purchase | SegmentKey): void {
  for (const places of [transient.segments, transient.contents]) {
    for (const key of places) {
      if (key?.purchase === from && !('purchase' in to)) key.purchase = to;
      if (key !== undefined && 'parent' in key && key.parent === from) key.parent = to;
    }
  }
}

/** Ends the RAM keys below a purchase with it, after its end was lowered, and drops those left without validity. */
export function shortenBelow(transient: TransientState, purchase: Purchase): void {
  for (const places of [transient.segments, transient.contents]) {
    places.forEach((key, place) => {
      if (key?.purchase !== purchase) return;
      key.to = Math.min(key.to, purchase.to);
      if (key.from >= key.to) places[place] = undefined;
    });
  }
}

/** DELETE KEY (protocol 4.4). @param data kind u8, service u32, id u32. @throws Refusal 6A88 */
export function deleteKey(persistent: PersistentState, transient: TransientState, data: Uint8Array): void {
  const { kind, service, keyId } = KEY_NAME.read(data);
  const { keyMemory } = persistent;
  for (const places of [transient.segments, transient.contents, keyMemory.purchases, keyMemory.nodes]) {
    const place = placeOf(places, kind, service, keyId);
    const key = places[place];
    if (key === undefined) continue;
    if (places === transient.segments) transient.segments[place] = undefined;
    else if (places === transient.contents) transient.contents[place] = undefined;
    else if (key.kind === KIND.node) keyMemory.deleteNode(place);
    else keyMemory.deletePurchase(place);
    dropBelow(transient, key);
    return;
  }
  refuse(STATUS.UNKNOWN_KEY);
}

/** The whole answer to LIST KEYS (protocol 4.4). */
export function listKeys(persistent: PersistentState, transient: TransientState): Uint8Array {
  const list: KeyEntry[] = [];
  const { purchases, nodes } = persistent.keyMemory;
  for (const key of [...purchases, ...nodes, ...transient.segments, ...transient.contents]) {
    if (key === undefined) continue;
    const { kind, parentKind, service, id, from, to } = key;
    list.push({ kind, parentKind, service, keyId: id, from, to });
  }
  return encodeKeyList(list);
}
