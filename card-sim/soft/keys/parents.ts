import { keyBodyAt } from '../../../apdu/decode-module/keys/key-message.ts';
import { ROOT_NODE } from '../../../apdu/decode-module/keys/key-tree.ts';
import { deriveSeedKey, SLOT_DEPTH, deriveSlotKeys, SLOTS } from '../../../apdu/decode-module/keys/marks.ts';
import { isPairKind, KIND } from '../../../apdu/decode-module/kinds.ts';
import { type ContentCiphers, makeContentCiphers } from '../../../apdu/decode-module/packets/card-part.ts';
import { deriveWorkingKeys } from '../../../apdu/decode-module/working-keys.ts';
import { CONTENT_TERMS, KEY_MESSAGE_HEADER } from '../../../apdu/layout/keys.ts';
import { readUint } from '../../../apdu/octets.ts';
import type { PersistentState } from '../memory/persistent-state.ts';
import type { TransientState } from '../memory/transient-state.ts';
import type { StoredSeed } from './key-memory.ts';
import { FIRST_SEEDS, type CardKey, type Purchase } from './keys.ts';

/** The parent of a message, whatever its kind. */
export interface Parent {
  /** Nothing for the card's own key or pair; for a slot the purchase that has a seed for it. */
  readonly key: CardKey | undefined;
  readonly ciphers: ContentCiphers;
}

/** A parent; the working keys of a pair are agreed on with each message. */
export type FoundParent = Parent | { readonly key: CardKey | undefined; readonly privateHalf: Uint8Array };

const KEY = KEY_MESSAGE_HEADER;
const EPOCH_AT = keyBodyAt(KIND.content) + CONTENT_TERMS.at.epoch;

export function isContentKind(kind: number | undefined): kind is typeof KIND.content | typeof KIND.blind {
  return kind === KIND.content || kind === KIND.blind;
}

/**
 * Finds the parent that a message names (protocol 4.4 step 1).
 * @param message at least 56 octets; a content message under a slot at least 104.
 */
export function findParent(
  persistent: PersistentState,
  transient: TransientState,
  message: Uint8Array,
): FoundParent | undefined {
  const kind = KEY.readUint(message, 'parentKind');
  const service = KEY.readUint(message, 'service');
  const id = KEY.readUint(message, 'parentId');
  if (kind === KIND.unique) {
    return id === persistent.serial ? { key: undefined, ciphers: persistent.keys.downlink } : undefined;
  }
  if (isPairKind(kind) && persistent.keyPairs.headEnd === undefined) return undefined;
  if (kind === KIND.cardPair) {
    const { privateHalf } = persistent.keyPairs;
    return id === persistent.serial && privateHalf !== undefined ? { key: undefined, privateHalf } : undefined;
  }
  if (kind === KIND.slot) {
    const epoch = isContentKind(KEY.readUint(message, 'kind')) ? readUint(message, EPOCH_AT, 4) : 0;
    return makeSlotParent(persistent, service, id, epoch);
  }
  const { purchases, nodes } = persistent.keyMemory;
  for (const key of [...transient.segments, ...transient.contents, ...purchases, ...nodes]) {
    if (key === undefined || key.kind !== kind || key.service !== service || key.id !== id) continue;
    switch (key.kind) {
      case KIND.seeds:
        return undefined;
      case KIND.servicePair:
        return { key, privateHalf: key.key };
      case KIND.node:
        return { key, ciphers: makeContentCiphers(deriveWorkingKeys(kind, service, id, key.key)) };
      default:
        return { key, ciphers: key.ciphers };
    }
  }
  return undefined;
}

/** Makes the keys of a slot from the seed that covers it and the root of the key tree (protocol 4.6). */
function makeSlotParent(persistent: PersistentState, service: number, slot: number, epoch: number): Parent | undefined {
  const { purchases, nodes } = persistent.keyMemory;
  const root = nodes.find((node) => node?.service === service && node.id === ROOT_NODE);
  if (slot >= SLOTS || (epoch !== 0 && root?.from !== epoch)) return undefined;
  let found: { readonly key: Purchase; readonly seed: StoredSeed } | undefined;
  for (const [place, key] of purchases.entries()) {
    if (place < FIRST_SEEDS || key?.service !== service || (found !== undefined && found.key.to >= key.to)) continue;
    for (const seed of persistent.keyMemory.seeds(place)) {
      if (seed.level > SLOT_DEPTH || Math.floor(slot / 2 ** (SLOT_DEPTH - seed.level)) !== seed.index) continue;
      found = { key, seed };
      break;
    }
  }
  if (found === undefined) return undefined;
  const leaf = deriveSeedKey(found.seed.key, { level: SLOT_DEPTH, index: slot }, found.seed);
  const workingKeys = deriveSlotKeys(service, slot, epoch, leaf, root?.key ?? new Uint8Array(16));
  return { key: found.key, ciphers: makeContentCiphers(workingKeys) };
}
