import { type KeyEntry, encodeKeyList } from '../../../apdu/decode-module/keys/key-list.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { readUint } from '../../../apdu/octets.ts';
import type { CardKey, Purchase } from './keys.ts';
import type { PersistentState } from '../memory/persistent-state.ts';
import type { TransientState } from '../memory/transient-state.ts';

/** The slot that holds a key, -1 when none does. */
export function slotOf(slots: readonly (CardKey | undefined)[], kind: number, service: number, id: number): number {
  return slots.findIndex((key) => key?.kind === kind && key.service === service && key.id === id);
}

/** Drops the RAM keys that came through a key which is gone. */
export function dropBelow(transient: TransientState, gone: CardKey): void {
  const { segments, contents } = transient;
  segments.forEach((key, slot) => {
    if (key?.purchase === gone) segments[slot] = undefined;
  });
  contents.forEach((key, slot) => {
    if (key?.purchase === gone || key?.parent === gone) contents[slot] = undefined;
  });
}

/** The end of a purchase has come down: RAM keys below it end with it, and those left empty go. */
export function shortenBelow(transient: TransientState, purchase: Purchase): void {
  for (const slots of [transient.segments, transient.contents]) {
    slots.forEach((key, slot) => {
      if (key?.purchase !== purchase) return;
      key.to = Math.min(key.to, purchase.to);
      if (key.from >= key.to) slots[slot] = undefined;
    });
  }
}

/** DELETE KEY. @param data kind u8, service u32, id u32. @returns the status word. */
export function deleteKey(persistent: PersistentState, transient: TransientState, data: Uint8Array): number {
  const kind = data[0]!;
  const service = readUint(data, 1, 4);
  const id = readUint(data, 5, 4);
  const { keyMemory } = persistent;
  for (const slots of [transient.segments, transient.contents, keyMemory.purchases, keyMemory.nodes]) {
    const slot = slotOf(slots, kind, service, id);
    const key = slots[slot];
    if (key === undefined) continue;
    if (slots === transient.segments) transient.segments[slot] = undefined;
    else if (slots === transient.contents) transient.contents[slot] = undefined;
    else if (key.kind === KIND.node) keyMemory.deleteNode(slot);
    else keyMemory.deletePurchase(slot);
    dropBelow(transient, key);
    return STATUS.DONE;
  }
  return STATUS.UNKNOWN_KEY;
}

/** The answer to LIST KEYS, uncut; `firmware-notes/protocol.md` 4.4. */
export function listKeys(persistent: PersistentState, transient: TransientState): Uint8Array {
  const list: KeyEntry[] = [];
  const { purchases, nodes } = persistent.keyMemory;
  for (const key of [...purchases, ...nodes, ...transient.segments, ...transient.contents]) {
    if (key === undefined) continue;
    const { kind, parentKind, service, id, from, to } = key;
    list.push({ kind, parentKind, service, id, from, to });
  }
  return encodeKeyList(list);
}
