import { type ContentCiphers, contentCiphers } from '../../../apdu/decode-module/packets/card-part.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import {
  agree,
  EPHEMERAL_LENGTH,
  generateP256,
  p256PairOf,
  pairKeys,
  POINT_LENGTH,
  PRIVATE_LENGTH,
  UNCOMPRESSED,
} from '../../../apdu/decode-module/keys/p256.ts';
import { KEY_MESSAGE_HEADER } from '../../../apdu/layout/keys.ts';
import { concat } from '../../../apdu/octets.ts';
import type { Eeprom } from '../memory/eeprom.ts';

/** Octets that it takes in the image: the head-end's point, and the card's private half, zeros for none. */
export const KEY_PAIRS_LENGTH = POINT_LENGTH + PRIVATE_LENGTH;

/** The card's own pair and the head-end's point; `firmware-notes/protocol.md` 4.9. */
export class KeyPairs {
  readonly #eeprom: Eeprom;
  readonly #at: number;

  /** @param at where it begins in the image. */
  constructor(eeprom: Eeprom, at: number) {
    this.#eeprom = eeprom;
    this.#at = at;
  }

  /** 65 octets, or nothing before DGI 0004. */
  get headEnd(): Uint8Array | undefined {
    const point = this.#eeprom.image.subarray(this.#at, this.#at + POINT_LENGTH);
    return point[0] === UNCOMPRESSED ? point : undefined;
  }

  /** The card's private half, 32 octets, if it has one. */
  get own(): Uint8Array | undefined {
    const at = this.#at + POINT_LENGTH;
    const half = this.#eeprom.image.subarray(at, at + PRIVATE_LENGTH);
    return half.some((octet) => octet !== 0) ? half : undefined;
  }

  /** The card's point, 65 octets, if it has a pair. */
  get point(): Uint8Array | undefined {
    const { own } = this;
    return own === undefined ? undefined : p256PairOf(own).publicKey;
  }

  /** A new pair in the place of the other. @returns its point, 65 octets. */
  generate(): Uint8Array {
    const { privateKey, publicKey } = generateP256();
    this.#eeprom.write({ at: this.#at + POINT_LENGTH, octets: privateKey });
    return publicKey;
  }

  /**
   * The keys of a private half for a message.
   * @param half 32 octets.
   * @param message of the right length for its kind and parent.
   * @returns nothing when the message's point, or the head-end's, is none of the curve.
   */
  ciphers(half: Uint8Array, message: Uint8Array, tagLength: number): ContentCiphers | undefined {
    const end = message.length - tagLength;
    const ephemeral = message.subarray(end - EPHEMERAL_LENGTH, end);
    const withEphemeral = agree(half, concat(Uint8Array.of(UNCOMPRESSED), ephemeral));
    const withStatic = agree(half, this.headEnd ?? new Uint8Array(0));
    if (withEphemeral === undefined || withStatic === undefined) return undefined;
    const kind = KEY_MESSAGE_HEADER.readUint(message, 'parentKind');
    const parentId = KEY_MESSAGE_HEADER.readUint(message, 'parentId');
    const service = kind === KIND.cardPair ? 0 : KEY_MESSAGE_HEADER.readUint(message, 'service');
    return contentCiphers(pairKeys(kind, service, parentId, withEphemeral, withStatic, ephemeral));
  }
}
