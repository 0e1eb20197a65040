import { p256 } from '@noble/curves/nist.js';
import { sha1 } from '@noble/hashes/legacy.js';
import { OutOfRangeError } from '../../errors.ts';
import { KEY_NAME } from '../../layout/keys.ts';
import { type WorkingKeys, workingKeysOf } from '../working-keys.ts';

/** Octets of an uncompressed point of P-256. */
export const POINT_LENGTH = 65;
/** Octets of a private half. */
export const PRIVATE_LENGTH = 32;
/** Octets of a point in a message: both coordinates. */
export const EPHEMERAL_LENGTH = 64;
/** First octet of an uncompressed point. */
export const UNCOMPRESSED = 4;

/** A private half and its point. */
export interface P256Pair {
  /** 32 octets. */
  readonly privateKey: Uint8Array;
  /** 65 octets, the uncompressed point. */
  readonly publicKey: Uint8Array;
}

/** A new pair, from the platform's randomness. */
export function generateP256(): P256Pair {
  return p256PairOf(p256.utils.randomSecretKey());
}

/** The pair of a private half. @throws OutOfRangeError when it is not one of P-256. */
export function p256PairOf(privateKey: Uint8Array): P256Pair {
  if (!isPrivateHalf(privateKey)) {
    throw new OutOfRangeError('a private half has 32 octets, from 1 to the order of P-256 less 1');
  }
  return { privateKey, publicKey: p256.getPublicKey(privateKey, false) };
}

/** The private half of a seed. @param seed 48 octets, as nobody else has them (FIPS 186-5 A.2.1). @returns 32 octets. */
export function privateHalfOf(seed: Uint8Array): Uint8Array {
  return p256.utils.randomSecretKey(seed);
}

/** Whether 32 octets are from 1 to the order of the curve less 1. */
export function isPrivateHalf(octets: Uint8Array): boolean {
  return p256.utils.isValidSecretKey(octets);
}

/** Whether octets are an uncompressed point of the curve. */
export function isPoint(octets: Uint8Array): boolean {
  return octets.length === POINT_LENGTH && octets[0] === UNCOMPRESSED && p256.utils.isValidPublicKey(octets, false);
}

/**
 * ALG_EC_SVDP_DH of Java Card 2.2.2: SHA-1 of the x coordinate of what both have.
 * @param publicKey uncompressed point.
 * @returns 20 octets, or undefined for what is not a point of the curve.
 */
export function agree(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  if (!isPoint(publicKey)) return undefined;
  return sha1(p256.getSharedSecret(privateKey, publicKey, true).subarray(1));
}

/**
 * Derives the working keys of a private half for one message; `firmware-notes/protocol.md` 4.9.
 * @param kind card pair or service pair.
 * @param service 0 for the card's own.
 * @param id of the pair; of the card's own the serial.
 * @param withEphemeral agreed with the ephemeral key, 20 octets.
 * @param withStatic agreed with the head-end's static key, 20 octets.
 * @param ephemeral 64 octets as in the message.
 */
export function derivePairKeys(
  kind: number,
  service: number,
  id: number,
  withEphemeral: Uint8Array,
  withStatic: Uint8Array,
  ephemeral: Uint8Array,
): WorkingKeys {
  return workingKeysOf(KEY_NAME.encode({ kind, service, keyId: id }), withEphemeral, withStatic, ephemeral);
}
