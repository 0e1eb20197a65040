import { CLASS_BIT, SUITE } from '../../../apdu/decode-module/keys/content-terms.ts';
import { keyBodyAt } from '../../../apdu/decode-module/keys/key-message.ts';
import { SLOT_DEPTH } from '../../../apdu/decode-module/keys/marks.ts';
import { isPersonal, type KeyKind, KIND } from '../../../apdu/decode-module/kinds.ts';
import { TARIFF } from '../../../apdu/decode-module/money/tariff.ts';
import {
  CEILINGS,
  CONTENT_TERMS,
  KEY_MESSAGE_HEADER as KEY,
  NO_LEVEL,
  SEED_LABEL,
  SEED_MESSAGE,
  SEEDS_OF_PART,
} from '../../../apdu/layout/keys.ts';
import { MAX_MONEY } from '../../../apdu/layout/max-money.ts';
import { isContentKind } from './parents.ts';

/** Offset of the terms in the message of a content key. */
export const TERMS_AT = keyBodyAt(KIND.content);

/** Offset of the ceilings in the message of a purchase. */
export function ceilingsAt(kind: KeyKind): number {
  return kind === KIND.seeds ? SEED_MESSAGE.at.ceilings : keyBodyAt(kind);
}

/** Whether every field of an authentic key message has a value that the page allows (protocol 4.4 step 3). */
export function hasRightFields(message: Uint8Array, kind: KeyKind, parentKind: number, cardCurrency: number): boolean {
  if (!hasRightFlags(message, kind) || !KEY.isReservedZero(message)) return false;
  if (KEY.readUint(message, 'service') === 0) return false;
  if (KEY.readUint(message, 'from') >= KEY.readUint(message, 'to')) return false;
  if (kind === KIND.node) return KEY.readUint(message, 'keyId') !== 0;
  if (isPersonal(parentKind)) {
    return (
      (kind !== KIND.seeds || hasRightLabels(message)) && hasRightCeilings(message, ceilingsAt(kind), cardCurrency)
    );
  }
  if (KEY.readUint(message, 'number') !== 0) return false;
  return !isContentKind(kind) || hasRightTerms(message, parentKind);
}

/** The flags of seeds are the part number and the number of parts less 1 (4.6); all others are reserved. */
function hasRightFlags(message: Uint8Array, kind: KeyKind): boolean {
  const flags = KEY.readUint(message, 'flags');
  return kind === KIND.seeds ? flags < 16 && (flags & 3) <= flags >> 2 : flags === 0;
}

function hasRightCeilings(message: Uint8Array, at: number, cardCurrency: number): boolean {
  const quantum = CEILINGS.readUint(message, 'quantum', at);
  const currency = CEILINGS.readUint(message, 'currency', at);
  return (
    quantum >= 1 &&
    quantum <= Number(MAX_MONEY) &&
    (currency === 0 || currency === cardCurrency) &&
    CEILINGS.isReservedZero(message, at)
  );
}

function hasRightTerms(message: Uint8Array, parentKind: number): boolean {
  const read = (field: keyof typeof CONTENT_TERMS.at) => CONTENT_TERMS.readUint(message, field, TERMS_AT);
  const tariff = read('tariff');
  return (
    tariff <= TARIFF.flat &&
    read('classes') <= (CLASS_BIT.card | CLASS_BIT.soft) &&
    read('suite') === SUITE &&
    (tariff !== TARIFF.free || read('price') === 0) &&
    (parentKind === KIND.slot || read('epoch') === 0) &&
    CONTENT_TERMS.isReservedZero(message, TERMS_AT)
  );
}

/** Whether each label names a node of the seed tree, or no seed at all (4.6). */
function hasRightLabels(message: Uint8Array): boolean {
  for (let i = 0; i < SEEDS_OF_PART; i++) {
    const { level, index } = SEED_LABEL.read(message, SEED_MESSAGE.at.labels + i * SEED_LABEL.length);
    const end = level === NO_LEVEL ? 1 : level > SLOT_DEPTH ? 0 : 2 ** level;
    if (index >= end) return false;
  }
  return true;
}
