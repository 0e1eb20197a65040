import { OutOfRangeError } from '../../errors.ts';
import { NO_LEVEL, SEED_LABEL, SEEDS_OF_PART } from '../../layout/keys.ts';
import { concat } from '../../octets.ts';
import { KIND } from '../kinds.ts';
import { encodeCeilings } from './ceilings.ts';
import { type KeyMessage, sealKeyMessage } from './key-message.ts';
import { MAX_SEEDS, type SeedLabel, deriveSeedKey } from './marks.ts';
import type { PurchaseHeader } from './purchase-header.ts';

/** Slots as one card buys them; `firmware-notes/protocol.md` 4.6. */
export interface SeedPurchase extends PurchaseHeader {
  /** 1 to 32, as `splitSlots` gives them. */
  readonly labels: readonly SeedLabel[];
}

const KEY = 16;
/** Stands where there is no seed. */
const NO_SEED: SeedLabel = { level: NO_LEVEL, index: 0 };

/**
 * Makes the one to four messages of a purchase of slots.
 * @param root key of the service's seed tree, 16 octets.
 * @param serial of the card.
 * @param downlinkKey of the card, 16 octets.
 * @throws OutOfRangeError when there is no seed, or more than 32.
 */
export function sealSeedPurchase(
  purchase: SeedPurchase,
  root: Uint8Array,
  serial: number,
  downlinkKey: Uint8Array,
): KeyMessage[] {
  const { service, keyId, from, to, number, labels } = purchase;
  if (labels.length < 1 || labels.length > MAX_SEEDS) {
    throw new OutOfRangeError(`a purchase has 1 to ${MAX_SEEDS} seeds, not ${labels.length}; split its slots`);
  }
  const ceilings = encodeCeilings(purchase.ceilings);
  const parts = Math.ceil(labels.length / SEEDS_OF_PART);
  return Array.from({ length: parts }, (_, part) => {
    const seeds = new Uint8Array(SEEDS_OF_PART * KEY);
    const body = new Uint8Array(SEEDS_OF_PART * SEED_LABEL.length);
    for (let i = 0; i < SEEDS_OF_PART; i++) {
      const label = labels[part * SEEDS_OF_PART + i];
      SEED_LABEL.write(body, label ?? NO_SEED, i * SEED_LABEL.length);
      if (label !== undefined) seeds.set(deriveSeedKey(root, label), i * KEY);
    }
    const header = {
      kind: KIND.seeds,
      service,
      keyId,
      from,
      to,
      number: number + part,
      parentKind: KIND.unique,
      parentId: serial,
      flags: ((parts - 1) << 2) | part,
    } as const;
    return sealKeyMessage(header, seeds, concat(body, ceilings), downlinkKey);
  });
}
