import type { CardChannel } from '../../../apdu/card-channel.ts';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import {
  type CardLimits,
  decodeCardLimits,
  encodeCardLimits,
  NO_LIMITS,
} from '../../../apdu/decode-module/card-limits.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { deriveChannelKeys } from '../../../apdu/decode-module/keys/card-keys.ts';
import { encodeVerificationKey, type VerificationKey } from '../../../apdu/decode-module/keys/verification-key.ts';
import { DGI } from '../../../apdu/decode-module/personalisation.ts';
import { hasCapability, type LifeState, type SelectAnswer } from '../../../apdu/decode-module/select-answer.ts';
import { putKey } from '../../../apdu/secure-channel/put-key.ts';
import type { ChannelKeySet } from '../../../apdu/secure-channel/scp03-keys.ts';
import { SecureChannelError } from '../../../apdu/secure-channel/secure-channel-error.ts';
import { openSecureChannel, type SecureChannel } from '../../../apdu/secure-channel/secure-channel.ts';
import { isTestKeySet } from '../../../apdu/secure-channel/test-key-set.ts';
import { IssuerError } from '../issuer-error.ts';
import type { KeyStore } from '../keys/key-store.ts';
import type { Accounts, IssuedCard } from './accounts.ts';
import { findIssuedCard, requireTrusted } from './issued-card.ts';

/**
 * Opens the secure channel to the selected module with the first of these key sets that it holds.
 * @throws IssuerError `CHANNEL_KEYS` when it holds none of them.
 */
export async function openChannel(
  channel: CardChannel,
  candidates: readonly ChannelKeySet[],
): Promise<{ secure: SecureChannel; keys: ChannelKeySet }> {
  let cause: unknown;
  for (const keys of candidates) {
    try {
      return { secure: await openSecureChannel(channel, keys), keys };
    } catch (error) {
      if (!(error instanceof SecureChannelError) || !['WRONG_KEYS', 'NO_KEY_SET'].includes(error.code)) throw error;
      cause = error;
    }
  }
  throw new IssuerError(
    'CHANNEL_KEYS',
    'this card holds other keys for its secure channel; name the file with those it was installed with: --keys FILE',
    { cause },
  );
}

/** What it takes to change a card of this issuer through its secure channel. */
export interface Administration {
  readonly channel: CardChannel;
  readonly keys: KeyStore;
  readonly accounts: Accounts;
  /** Key set that the card may hold instead of the issuer's own. */
  readonly installed?: ChannelKeySet | undefined;
}

/**
 * Blocks, unblocks or ends a card of this issuer.
 * @returns the card id.
 * @throws IssuerError `WITHDRAWN` when a card that is not trusted any more is to be active.
 */
export async function setLife(on: Administration, life: 'active' | 'blocked' | 'terminated'): Promise<Uint8Array> {
  const { module, card } = await administer(on, ['active', 'blocked']);
  if (life === 'active') requireTrusted(card);
  await module.setStatus(life);
  return card.cardId;
}

/**
 * Gives a card of this issuer a new PIN, with all its tries.
 * @param pin as `encodePin` makes it.
 * @returns the card id.
 */
export async function setPin(on: Administration, pin: Uint8Array): Promise<Uint8Array> {
  const { module, card } = await administer(on, ['active']);
  await module.storeData(DGI.pin, pin, false);
  return card.cardId;
}

/**
 * Changes what the holder of a card may do without the PIN. What is left out stays as it is: the spend limit as the
 * card has it, since its holder may have changed it; the rest as the accounts have it, since no card tells it.
 */
export async function setLimits(
  on: Administration,
  wanted: (card: IssuedCard) => Partial<CardLimits>,
): Promise<{ cardId: Uint8Array; currency: number; limits: CardLimits }> {
  const { module, card } = await administer(on, ['active']);
  const known = card.limits === null ? NO_LIMITS : decodeCardLimits(card.limits);
  const { spendLimit } = await module.getLog(0);
  const limits = { ...known, spendLimit, ...wanted(card) };
  const value = encodeCardLimits(limits);
  await module.storeData(DGI.limits, value, false);
  await on.accounts.recordLimits(card.cardId, value);
  return { cardId: card.cardId, currency: card.currency, limits };
}

/**
 * Puts a verification key into a place of a card, or empties the place.
 * @param place 0 to 3.
 * @returns the keys that the card has now.
 */
export async function setVerificationKey(
  on: Administration,
  place: number,
  key: VerificationKey | undefined,
): Promise<{ cardId: Uint8Array; keys: readonly VerificationKey[] }> {
  const { module, card } = await administer(on, ['active']);
  await module.storeData(DGI.verificationKey, encodeVerificationKey(place, key), false);
  return { cardId: card.cardId, keys: await module.getVerificationKeys() };
}

/**
 * Has a card make a key pair of its own, for the messages of one head-end. The pair before is gone at once.
 * @param headEnd the head-end's static point, 65 octets (DGI 0004).
 * @param now seconds since 1970.
 * @returns the public half, 65 octets, which is in the accounts now.
 * @throws IssuerError `NO_PAIR` when the chip has no P-256.
 */
export async function makeCardPair(
  on: Administration,
  headEnd: Uint8Array,
  now: number,
): Promise<{ cardId: Uint8Array; publicKey: Uint8Array }> {
  const { module, answer, card } = await administer(on, ['active']);
  const { cardId } = card;
  if (!hasCapability(answer, 'p256')) {
    throw new IssuerError(
      'NO_PAIR',
      `card ${formatCardId(cardId)} has no P-256; it gets its keys under its unique key, as it does now`,
    );
  }
  // Who pulls the card in between leaves no point behind that nobody has the private half of.
  await on.accounts.recordPair(cardId, new Uint8Array(0), now);
  await module.storeData(DGI.headEnd, headEnd, false);
  const publicKey = await module.generateKeyPair();
  await on.accounts.recordPair(cardId, publicKey, now);
  return { cardId, publicKey };
}

/**
 * Replaces the key set of a card's secure channel. It can be repeated after a lost answer: the card then has the new
 * set, which is replaced by itself.
 * @param next the set that this issuer derives for the card when left out.
 * @returns the card id.
 */
export async function replaceKeys(on: Administration, next?: ChannelKeySet): Promise<Uint8Array> {
  const { secure, held, own, card } = await administer(on, ['active', 'blocked'], next);
  if (next === undefined && held !== own && isTestKeySet(held)) {
    throw new IssuerError(
      'CHANNEL_KEYS',
      'this card holds the test keys, which everybody knows, and so would know the new ones; ' +
        'give it a set of yours first: --to FILE',
    );
  }
  await putKey(secure, held, next ?? own);
  return card.cardId;
}

async function administer(
  { channel, keys, accounts, installed }: Administration,
  lives: readonly LifeState[],
  other?: ChannelKeySet,
): Promise<{
  module: DecodeModule;
  secure: SecureChannel;
  held: ChannelKeySet;
  own: ChannelKeySet;
  answer: SelectAnswer;
  card: IssuedCard;
}> {
  const { answer, card } = await findIssuedCard(new DecodeModule(channel), accounts, lives);
  const own = deriveChannelKeys(await keys.open('personalisation'), card.cardId);
  const candidates = [own, installed, other].filter((set) => set !== undefined);
  const { secure, keys: held } = await openChannel(channel, candidates);
  return { module: new DecodeModule(secure), secure, held, own, answer, card };
}
