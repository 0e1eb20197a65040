import { AesCbc } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import { encodeCeilings } from '../../../apdu/decode-module/keys/ceilings.ts';
import { sealKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { KeyTree, sealLeaf } from '../../../apdu/decode-module/keys/key-tree.ts';
import {
  coverSlots,
  type SeedLabel,
  deriveSeedKey,
  SLOT_DEPTH,
  deriveSlotKeys,
} from '../../../apdu/decode-module/keys/marks.ts';
import { sealSeedPurchase } from '../../../apdu/decode-module/keys/seed-purchase.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { deriveWorkingKeys } from '../../../apdu/decode-module/working-keys.ts';
import {
  CARD_KEYS,
  CEILINGS,
  CONTENT_KEY_ID,
  encodeContent,
  END,
  makeFixedKey,
  findKey,
  SERIAL,
  SERVICE,
  START,
  type TermOptions,
} from './messages.ts';

/** Root of the seed tree of the service in every case. */
export const SEED_ROOT = makeFixedKey('seed root');
export const SEED_PURCHASE_ID = 300;
export const SEGMENT_PURCHASE_ID = 200;

/** A segment bought by itself. */
export function sealSegmentPurchase(
  number: number,
  { keyId = SEGMENT_PURCHASE_ID, from = START, to = END, perMegabyte = CEILINGS.perMegabyte } = {},
): Uint8Array {
  const header = {
    kind: KIND.segment,
    service: SERVICE,
    keyId,
    from,
    to,
    number,
    parentKind: KIND.unique,
    parentId: SERIAL,
  } as const;
  const key = findKey(KIND.segment, SERVICE, keyId);
  return sealKeyMessage(header, key, encodeCeilings({ ...CEILINGS, perMegabyte }), CARD_KEYS.downlink).octets;
}

interface SeedOptions {
  keyId?: number;
  from?: number;
  to?: number;
  perMegabyte?: bigint;
  labels?: readonly SeedLabel[];
}

/** The parts of a purchase of slots [first, end). */
export function sealSeedParts(number: number, first: number, end: number, options: SeedOptions = {}): Uint8Array[] {
  const { keyId = SEED_PURCHASE_ID, from = START, to = END, perMegabyte = CEILINGS.perMegabyte } = options;
  const { labels = coverSlots(first, end) } = options;
  const ceilings = { ...CEILINGS, perMegabyte };
  const purchase = { service: SERVICE, keyId, from, to, number, ceilings, labels };
  return sealSeedPurchase(purchase, SEED_ROOT, SERIAL, CARD_KEYS.downlink).map(({ octets }) => octets);
}

interface SlotOptions {
  keyId?: number;
  kind?: typeof KIND.content | typeof KIND.blind;
  from?: number;
  to?: number;
  epoch?: number;
  epochKey?: Uint8Array;
}

/** A content key under a slot. */
export function sealUnderSlot(slot: number, options: SlotOptions = {}, terms: TermOptions = {}): Uint8Array {
  const { keyId = CONTENT_KEY_ID, kind = KIND.content, from = START, to = END } = options;
  const { epoch = 0, epochKey = new Uint8Array(16) } = options;
  const leaf = deriveSeedKey(SEED_ROOT, { level: SLOT_DEPTH, index: slot });
  const header = {
    kind,
    service: SERVICE,
    keyId,
    from,
    to,
    number: 0,
    parentKind: KIND.slot,
    parentId: slot,
  } as const;
  const pair = deriveSlotKeys(SERVICE, slot, epoch, leaf, epochKey);
  const body = encodeContent({ segmentId: slot, ...terms, epoch });
  return sealKeyMessage(header, findKey(kind, SERVICE, keyId), body, pair).octets;
}

export const BLIND_KEY_ID = 6000;

/** A blind key under the service key, free unless told. */
export function sealBlindContent(terms: TermOptions = {}, keyId = BLIND_KEY_ID): Uint8Array {
  const header = {
    kind: KIND.blind,
    service: SERVICE,
    keyId,
    from: START,
    to: END,
    number: 0,
    parentKind: KIND.service,
    parentId: 1,
  } as const;
  const body = encodeContent({ kind: 'free', ...terms });
  return sealKeyMessage(header, findKey(KIND.blind, SERVICE, keyId), body, findKey(KIND.service, SERVICE, 1)).octets;
}

export function makeBlindCipher(keyId = BLIND_KEY_ID): AesCbc {
  return new AesCbc(deriveWorkingKeys(KIND.blind, SERVICE, keyId, findKey(KIND.blind, SERVICE, keyId)).encryption);
}

/** A key tree whose keys never change from run to run. */
export function makeFixedTree(depth: number, epoch = 1, service = SERVICE): KeyTree {
  let made = 0;
  return new KeyTree(service, depth, epoch, () => makeFixedKey(`tree ${made++}`));
}

export function sealTreeLeaf(
  number: number,
  place: { readonly leaf: number; readonly key: Uint8Array },
  service = SERVICE,
): Uint8Array {
  return sealLeaf(service, place, number, SERIAL, CARD_KEYS.downlink).octets;
}
