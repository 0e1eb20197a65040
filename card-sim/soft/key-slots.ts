import { type KeyEntry, encodeKeyList } from '../../apdu/decode-module/key-list.ts';
import { KIND } from '../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../apdu/decode-module/module-status.ts';
import { readUint } from '../../apdu/octets.ts';
import type { CardKey } from './keys.ts';
import type { PersistentState } from './persistent-state.ts';
import type { TransientState } from './transient-state.ts';

/** The slot that holds a key, -1 when none does. */
export function slotOf(slots: readonly (CardKey | undefined)[], service: number, id: number): number {
  return slots.findIndex((key) => key?.service === service && key.id === id);
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

/** DELETE KEY. @param data kind u8, service u32, id u32. @returns the status word. */
export function deleteKey(persistent: PersistentState, transient: TransientState, data: Uint8Array): number {
  const kind = data[0];
  const service = readUint(data, 1, 4);
  const id = readUint(data, 5, 4);
  const slots: readonly (CardKey | undefined)[] =
    kind === KIND.service
      ? persistent.services
      : kind === KIND.segment
        ? transient.segments
        : kind === KIND.content
          ? transient.contents
          : [];
  const slot = slotOf(slots, service, id);
  const key = slots[slot];
  if (key === undefined) return STATUS.UNKNOWN_KEY;
  if (kind === KIND.service) persistent.deleteService(slot);
  else if (kind === KIND.segment) transient.segments[slot] = undefined;
  else transient.contents[slot] = undefined;
  dropBelow(transient, key);
  return STATUS.DONE;
}

/** The answer to LIST KEYS, uncut; `firmware-notes/protocol.md` 4.4. */
export function listKeys(persistent: PersistentState, transient: TransientState): Uint8Array {
  const list: KeyEntry[] = [];
  for (const key of [...persistent.services, ...transient.segments, ...transient.contents]) {
    if (key === undefined) continue;
    const { kind, service, id, from, to } = key;
    list.push({ kind, parentKind: parentKindOf(key), service, id, from, to });
  }
  return encodeKeyList(list);
}

function parentKindOf(key: CardKey): number {
  switch (key.kind) {
    case KIND.service:
      return KIND.unique;
    case KIND.segment:
      return KIND.service;
    case KIND.content:
      return key.parent.kind;
  }
}
