import {
  agree,
  EPHEMERAL_LENGTH,
  generateP256,
  p256PairOf,
  derivePairKeys,
  POINT_LENGTH,
  PRIVATE_LENGTH,
  UNCOMPRESSED,
} from '../../../apdu/decode-module/keys/p256.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { type ContentCiphers, makeContentCiphers } from '../../../apdu/decode-module/packets/card-part.ts';
import { layout } from '../../../apdu/layout/field-table.ts';
import { opaque } from '../../../apdu/layout/field.ts';
import { KEY_MESSAGE_HEADER } from '../../../apdu/layout/keys.ts';
import { concat } from '../../../apdu/octets.ts';
import type { Eeprom } from '../memory/eeprom.ts';

/** The head-end's point and the card's private half, zeros for none; this card's own way. */
const KEY_PAIRS = layout('key pairs', { headEnd: opaque(POINT_LENGTH), privateHalf: opaque(PRIVATE_LENGTH) });

/** Octets that they take in the image. */
export const KEY_PAIRS_LENGTH = KEY_PAIRS.length;

/** The card's own key pair and the head-end's point in persistent memory (protocol 4.9). */
export class KeyPairs {
  readonly #eeprom: Eeprom;
  readonly #at: number;

  /** @param at where it begins in the image. */
  constructor(eeprom: Eeprom, at: number) {
    this.#eeprom = eeprom;
    this.#at = at;
  }

  /** The head-end's point, 65 octets, or nothing before DGI 0004. */
  get headEnd(): Uint8Array | undefined {
    const point = KEY_PAIRS.view(this.#eeprom.image, 'headEnd', this.#at);
    return point[0] === UNCOMPRESSED ? point : undefined;
  }

  /** The card's private half, 32 octets, if it has a pair. */
  get privateHalf(): Uint8Array | undefined {
    const half = KEY_PAIRS.view(this.#eeprom.image, 'privateHalf', this.#at);
    return half.some((octet) => octet !== 0) ? half : undefined;
  }

  /** The card's point, 65 octets, if it has a pair. */
  get point(): Uint8Array | undefined {
    const { privateHalf } = this;
    return privateHalf === undefined ? undefined : p256PairOf(privateHalf).publicKey;
  }

  /** Makes a new pair, which replaces the old one. @returns its point, 65 octets. */
  generate(): Uint8Array {
    const { privateKey, publicKey } = generateP256();
    this.#eeprom.write({ at: this.#at + KEY_PAIRS.at.privateHalf, octets: privateKey });
    return publicKey;
  }

  /**
   * Agrees on the working keys of a message.
   * @param privateHalf of the card's pair or of a service's, 32 octets.
   * @param message of the right length for its kind and parent.
   * @returns nothing when the point of the message, or that of the head-end, is not on the curve.
   */
  agree(privateHalf: Uint8Array, message: Uint8Array, tagLength: number): ContentCiphers | undefined {
    const end = message.length - tagLength;
    const ephemeral = message.subarray(end - EPHEMERAL_LENGTH, end);
    const withEphemeral = agree(privateHalf, concat(Uint8Array.of(UNCOMPRESSED), ephemeral));
    const withStatic = agree(privateHalf, this.headEnd ?? new Uint8Array(0));
    if (withEphemeral === undefined || withStatic === undefined) return undefined;
    const kind = KEY_MESSAGE_HEADER.readUint(message, 'parentKind');
    const parentId = KEY_MESSAGE_HEADER.readUint(message, 'parentId');
    const service = kind === KIND.cardPair ? 0 : KEY_MESSAGE_HEADER.readUint(message, 'service');
    return makeContentCiphers(derivePairKeys(kind, service, parentId, withEphemeral, withStatic, ephemeral));
  }
}
