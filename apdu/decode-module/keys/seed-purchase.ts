import { OutOfRangeError } from '../../errors.ts';
import { writeUint } from '../../octets.ts';
import { type Ceilings, encodeCeilings } from './ceilings.ts';
import { type KeyMessage, sealKeyMessage } from './key-message.ts';
import { KIND } from '../kinds.ts';
import { MOST_SEEDS, type SeedLabel, seedKey } from './marks.ts';

/** Slots as one card buys them; `firmware-notes/protocol.md` 4.6. */
export interface SeedPurchase {
  readonly service: number;
  /** Of the purchase, u32. */
  readonly keyId: number;
  /** Media time [from, to) in which the slots lie. */
  readonly from: number;
  readonly to: number;
  /** Of part 0; the others have the numbers after it. */
  readonly number: number;
  readonly ceilings: Ceilings;
  /** 1 to 32, as `purchasesOfSlots` gives them. */
  readonly labels: readonly SeedLabel[];
}

const PART = 8;
const LABEL = 4;
const KEY = 16;
const NO_LEVEL = 0xff;

/**
 * The one to four messages of a purchase of slots.
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
  if (labels.length < 1 || labels.length > MOST_SEEDS) {
    throw new OutOfRangeError(`a purchase has 1 to ${MOST_SEEDS} seeds, not ${labels.length}; split its slots`);
  }
  const ceilings = encodeCeilings(purchase.ceilings);
  const parts = Math.ceil(labels.length / PART);
  return Array.from({ length: parts }, (_, part) => {
    const keys = new Uint8Array(PART * KEY);
    const body = new Uint8Array(PART * LABEL + ceilings.length);
    for (let i = 0; i < PART; i++) {
      const label = labels[part * PART + i];
      body[i * LABEL] = label?.level ?? NO_LEVEL;
      if (label === undefined) continue;
      writeUint(body, i * LABEL + 1, 3, label.index);
      keys.set(seedKey(root, label), i * KEY);
    }
    body.set(ceilings, PART * LABEL);
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
    return sealKeyMessage(header, keys, body, downlinkKey);
  });
}
