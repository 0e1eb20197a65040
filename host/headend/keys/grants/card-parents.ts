import { decodeCardId } from '../../../../apdu/decode-module/card-id.ts';
import type { CbcFactory } from '../../../../apdu/decode-module/keys/aes-cbc.ts';
import { encodeCeilings } from '../../../../apdu/decode-module/keys/ceilings.ts';
import { sealUnderCardPair } from '../../../../apdu/decode-module/keys/public-key-parent.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { type Purchase, sealGrant } from './grant.ts';

/** Names of what a card's purchases may come under. */
export type ParentName = 'unique-key' | 'private-half';

/** What the purchases of cards come under. */
export interface CardParents {
  /** @returns the purchase for one card, a key message. @param cardId 8 octets. */
  seal(purchase: Purchase, cardId: Uint8Array): Uint8Array;
}

/** Every card gets its purchases under its unique key. */
export class UniqueKeys implements CardParents {
  readonly #downlinkKey: (cardId: Uint8Array) => Uint8Array;
  readonly #makeCipher: CbcFactory | undefined;

  /** @param downlinkKey of a card, 16 octets. */
  constructor(downlinkKey: (cardId: Uint8Array) => Uint8Array, makeCipher?: CbcFactory) {
    this.#downlinkKey = downlinkKey;
    this.#makeCipher = makeCipher;
  }

  seal(purchase: Purchase, cardId: Uint8Array): Uint8Array {
    return sealGrant(purchase, cardId, this.#downlinkKey(cardId), this.#makeCipher).octets;
  }
}

export interface PrivateHalvesOptions {
  /** For cards that have no pair. */
  readonly others: CardParents;
  /** The head-end's static private half, 32 octets. */
  readonly staticKey: Uint8Array;
  /** @returns the public half of a card, 65 octets; undefined when nobody knows of one. */
  readonly find: (cardId: Uint8Array) => Uint8Array | undefined;
  /** Told what was chosen for a card, and why. */
  readonly onChosen: (cardId: Uint8Array, parent: ParentName, reason: string) => void;
}

/** A card that has made a key pair gets its purchases under the private half of it, and others as before. */
export class PrivateHalves implements CardParents {
  readonly #options: PrivateHalvesOptions;

  constructor(options: PrivateHalvesOptions) {
    this.#options = options;
  }

  seal(purchase: Purchase, cardId: Uint8Array): Uint8Array {
    const { others, staticKey, find, onChosen } = this.#options;
    const point = find(cardId);
    if (point === undefined) {
      onChosen(cardId, 'unique-key', 'the issuer store has no public half of this card');
      return others.seal(purchase, cardId);
    }
    onChosen(cardId, 'private-half', 'the issuer store has the public half that this card made');
    const { kind = KIND.service, key, ceilings, ...header } = purchase;
    const { serial } = decodeCardId(cardId);
    const body = encodeCeilings(ceilings);
    return sealUnderCardPair({ kind, ...header }, key, body, serial, point, { staticKey }).octets;
  }
}
