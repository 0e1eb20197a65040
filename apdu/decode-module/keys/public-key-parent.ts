import { OutOfRangeError } from '../../errors.ts';
import { KIND } from '../kinds.ts';
import { type KeyMessage, type KeyMessageHeader, type PairParent, sealKeyMessage } from './key-message.ts';
import { agree, generateP256, type P256Pair, derivePairKeys } from './p256.ts';

/** What the head-end makes messages under public keys with; `firmware-notes/protocol.md` 4.9. */
export interface PublicKeySender {
  /** The head-end's static private half, 32 octets; cards have its point from DGI 0004. */
  readonly staticKey: Uint8Array;
  /** A pair for one message alone; new if it is left out. */
  readonly ephemeral?: P256Pair;
}

/** A header without what the parent says. */
export type HeaderUnderPublicKey = Omit<KeyMessageHeader, 'parentKind' | 'parentId'>;

/**
 * The working keys of the private half behind a point, for one message.
 * @param header its parent is a card pair or a service pair.
 * @param publicKey 65 octets.
 * @throws OutOfRangeError when it is not a point of P-256.
 */
export function derivePairParent(
  header: Pick<KeyMessageHeader, 'service' | 'parentKind' | 'parentId'>,
  publicKey: Uint8Array,
  { staticKey, ephemeral: pair = generateP256() }: PublicKeySender,
): PairParent {
  const withEphemeral = agree(pair.privateKey, publicKey);
  const withStatic = agree(staticKey, publicKey);
  if (withEphemeral === undefined || withStatic === undefined) {
    throw new OutOfRangeError('these octets are not an uncompressed point of P-256; take 65, as the card gives them');
  }
  const { parentKind, parentId } = header;
  const service = parentKind === KIND.cardPair ? 0 : header.service;
  const ephemeral = pair.publicKey.slice(1);
  return { ...derivePairKeys(parentKind, service, parentId, withEphemeral, withStatic, ephemeral), ephemeral };
}

/**
 * Makes a message for one card, under its own certified pair.
 * @param key the key inside: 16 octets, of a service pair the private half, 32.
 * @param serial of the card.
 * @param publicKey of the card, 65 octets, its certificate checked.
 */
export function sealUnderCardPair(
  header: HeaderUnderPublicKey,
  key: Uint8Array,
  body: Uint8Array,
  serial: number,
  publicKey: Uint8Array,
  sender: PublicKeySender,
): KeyMessage {
  const whole = { ...header, parentKind: KIND.cardPair, parentId: serial } as const;
  return sealKeyMessage(whole, key, body, derivePairParent(whole, publicKey, sender));
}

/**
 * Makes a message that opens on every card with the private half of a service's pair.
 * @param pairId key id of the pair.
 * @param publicKey of the service, 65 octets.
 */
export function sealUnderServicePair(
  header: HeaderUnderPublicKey,
  key: Uint8Array,
  body: Uint8Array,
  pairId: number,
  publicKey: Uint8Array,
  sender: PublicKeySender,
): KeyMessage {
  const whole = { ...header, parentKind: KIND.servicePair, parentId: pairId } as const;
  return sealKeyMessage(whole, key, body, derivePairParent(whole, publicKey, sender));
}
