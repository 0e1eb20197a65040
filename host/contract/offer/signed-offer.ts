import { ed25519 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';
import type { VerificationKey } from '../../../apdu/decode-module/keys/verification-key.ts';
import { FormatError, TollcastError } from '../../../apdu/errors.ts';
import { layout } from '../../../apdu/layout/field-table.ts';
import { opaque, u32 } from '../../../apdu/layout/field.ts';
import { concat } from '../../../apdu/octets.ts';
import { encodeOfferText, MAX_OFFER_TEXT, parseOfferText } from './offer-text.ts';
import type { Offer } from './offer.ts';

/** What stands before the text of a signed offer; `firmware-notes/head-end.md` 1. */
export const OFFER_HEAD = layout('offer head', {
  /** Of the verification key that the signature is to be checked with. */
  keyId: u32(),
  /** Ed25519 over the label and the text. */
  signature: opaque(64),
});

/** What is signed is this and the text, so that the key signs nothing else by mistake. */
const SIGNATURE_LABEL = new TextEncoder().encode('tollcast offer 1\0');
const HASH_LABEL = new TextEncoder().encode('tollcast session hash 1\0');
/** Octets of a session hash, protocol 4.5. */
const SESSION_HASH_LENGTH = 20;

/** Whoever signs offers: an Ed25519 key that cards hold the public half of. */
export interface OfferSigner {
  /** Id of the verification key on the cards, u32, 1 and up. */
  readonly keyId: number;
  /** Ed25519 private key (RFC 8032), 32 octets. */
  readonly privateKey: Uint8Array;
}

/** An offer with the octets that were signed. They are kept and passed on as they are, never written anew. */
export interface SignedOffer extends Offer {
  /** The whole signed offer as it travels. */
  readonly octets: Uint8Array;
  /** 20 octets that every request under this offer carries. */
  readonly sessionHash: Uint8Array;
  readonly keyId: number;
}

/**
 * Signs an offer.
 * @returns head and text, as it travels.
 * @throws FormatError when a field is outside its range.
 */
export function signOffer(offer: Offer, { keyId, privateKey }: OfferSigner): Uint8Array {
  const text = encodeOfferText(offer);
  const signature = ed25519.sign(concat(SIGNATURE_LABEL, text), privateKey);
  return concat(OFFER_HEAD.encode({ keyId, signature }), text);
}

/**
 * Checks and reads a signed offer.
 * @param octets as it came.
 * @param trusted the verification keys that the card holds.
 * @throws TollcastError `OFFER_NOT_TRUSTED` when none of these signed it.
 * @throws FormatError when it is cut short or too long, or what was signed is not an offer of this version.
 */
export function verifyOffer(octets: Uint8Array, trusted: readonly VerificationKey[]): SignedOffer {
  const { keyId, signature, text } = splitOffer(octets);
  const signed = concat(SIGNATURE_LABEL, text);
  const isTrusted = trusted.some(({ id, key }) => id === keyId && isSignature(signature, signed, key));
  if (!isTrusted) {
    throw new TollcastError(
      'OFFER_NOT_TRUSTED',
      `no verification key ${keyId} of this card signed the offer; do not join, and ask the issuer whom to trust`,
    );
  }
  return { ...parseOfferText(text), octets: octets.slice(), sessionHash: computeSessionHash(octets), keyId };
}

/**
 * Reads a signed offer without asking who made it, as its own head-end does.
 * @throws FormatError when it is not one of this version.
 */
export function parseOffer(octets: Uint8Array): SignedOffer {
  const { keyId, text } = splitOffer(octets);
  return { ...parseOfferText(text), octets: octets.slice(), sessionHash: computeSessionHash(octets), keyId };
}

/**
 * The session hash of an offer: the start of SHA-256 over a label and the text as it was signed.
 * @param octets the whole signed offer.
 * @returns 20 octets.
 * @throws FormatError when it is cut short or too long.
 */
export function computeSessionHash(octets: Uint8Array): Uint8Array {
  return sha256(concat(HASH_LABEL, splitOffer(octets).text)).slice(0, SESSION_HASH_LENGTH);
}

function splitOffer(octets: Uint8Array): { keyId: number; signature: Uint8Array; text: Uint8Array } {
  const max = OFFER_HEAD.length + MAX_OFFER_TEXT;
  if (octets.length <= OFFER_HEAD.length || octets.length > max) {
    throw new FormatError(
      `a signed offer has ${OFFER_HEAD.length + 1} to ${max} octets, not ${octets.length}; drop it`,
    );
  }
  return { ...OFFER_HEAD.read(octets), text: octets.subarray(OFFER_HEAD.length) };
}

function isSignature(signature: Uint8Array, message: Uint8Array, key: Uint8Array): boolean {
  try {
    return ed25519.verify(signature, message, key);
  } catch {
    // A key that is no point of the curve.
    return false;
  }
}
