import type { CardChannel } from '../../../apdu/card-channel.ts';
import { decodeCardId, formatCardId, type ModuleClass } from '../../../apdu/decode-module/card-id.ts';
import { type CardLimits, encodeCardLimits } from '../../../apdu/decode-module/card-limits.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import {
  CARD_KEYS,
  type CardKeyName,
  deriveCardKey,
  deriveChannelKeys,
} from '../../../apdu/decode-module/keys/card-keys.ts';
import {
  encodeVerificationKey,
  VERIFICATION_PLACES,
  type VerificationKey,
} from '../../../apdu/decode-module/keys/verification-key.ts';
import {
  type CardKeySet,
  type CardProfile,
  DGI,
  encodeCardKeys,
  encodeCardProfile,
} from '../../../apdu/decode-module/personalisation.ts';
import { OutOfRangeError } from '../../../apdu/errors.ts';
import { putKey } from '../../../apdu/secure-channel/put-key.ts';
import type { ChannelKeySet } from '../../../apdu/secure-channel/scp03-keys.ts';
import { formatMoney } from '../../money/amount.ts';
import { currencyByNumber } from '../../money/currency.ts';
import { IssuerError } from '../issuer-error.ts';
import type { KeyStore } from '../keys/key-store.ts';
import { openUplinkMaster } from '../keys/uplink-keys.ts';
import type { Accounts } from './accounts.ts';
import { openChannel } from './card-administration.ts';

/** What a new card is to be. */
export interface NewCard extends Omit<CardProfile, 'cardId'> {
  readonly moduleClass: ModuleClass;
  /** u32; the next free one when it is left out. */
  readonly serial?: number | undefined;
  /** None when left out. */
  readonly limits?: CardLimits | undefined;
  /** As `encodePin` makes it; none when left out. */
  readonly pin?: Uint8Array | undefined;
  /** Whose signatures a host of the card is to trust, 4 at most. */
  readonly trust?: readonly VerificationKey[] | undefined;
}

/** What it takes to personalise a card. */
export interface Personalisation {
  readonly channel: CardChannel;
  readonly keys: KeyStore;
  readonly accounts: Accounts;
  /** Key set that the card was installed with. */
  readonly installed: ChannelKeySet;
  /** Seconds since 1970. */
  readonly now: number;
  /** Called with the card id before the card gets anything; a card that was begun before has it already. */
  readonly onNumbered?: ((cardId: Uint8Array) => Promise<void>) | undefined;
}

/**
 * Makes a blank card one of this issuer's, through its secure channel. The account is made before the card has a key,
 * so that no card id is given twice. A card that was pulled in between goes on where it stood, with the profile and the
 * card id that it has. A card can claim any card id: once the keys of that id were on their way, the card must know the
 * channel keys that it was given before them.
 *
 * @returns the card id, 8 octets.
 * @throws IssuerError `NOT_BLANK`, `SERIAL_TAKEN` or `CHANNEL_KEYS`, and those of {@link KeyStore.open}.
 * @throws OutOfRangeError when an amount or the serial does not fit, the card could hold nothing, or its PIN policy
 *   lacks a PIN.
 */
export async function personalise(
  { channel, keys, accounts, installed, now, onNumbered }: Personalisation,
  wanted: NewCard,
): Promise<Uint8Array> {
  const { life, cardId: present } = await new DecodeModule(channel).select();
  const begun = present.some((octet) => octet !== 0);
  const known = begun ? await accounts.card(present) : undefined;
  const resumed = known !== undefined && decodeCardId(present).moduleClass === wanted.moduleClass;
  if ((life !== 'blank' && life !== 'personalised') || (begun && !resumed)) {
    throw new IssuerError('NOT_BLANK', `card ${formatCardId(present)} is personalised already; insert a blank one`);
  }
  // All that can be refused is refused before a card id is spent.
  requireUsableCard(wanted);
  encodeCardProfile({ ...wanted, cardId: new Uint8Array(8) });
  const limits = wanted.limits && encodeCardLimits(wanted.limits);
  const trust = (wanted.trust ?? []).map((key, place) => encodeVerificationKey(place, key));
  const masters = {
    unique: await keys.open('unique'),
    uplink: await openUplinkMaster(keys, accounts),
    receipt: await keys.open('receipt'),
    load: await keys.open('load'),
  };
  const master = await keys.open('personalisation');
  const own = resumed ? deriveChannelKeys(master, present) : undefined;
  const candidates = [...(own === undefined ? [] : [own]), ...(known?.keyed === true ? [] : [installed])];
  const { secure, keys: held } = await openChannel(channel, candidates);
  const module = new DecodeModule(secure);
  const cardId = resumed ? present : await accounts.addCard(wanted, now);
  await onNumbered?.(cardId);
  if (!resumed) await module.storeData(DGI.profile, encodeCardProfile({ ...wanted, cardId }), false);
  if (held === installed) await putKey(secure, installed, deriveChannelKeys(master, cardId));
  if (life === 'blank') {
    // A card that was begun before there was an uplink master gets the key that its account names.
    const uplinkMaster = known?.uplinkMaster ?? 'uplink';
    const key = (name: CardKeyName) => deriveCardKey(masters[CARD_KEYS[name]], name, cardId);
    const cardKeys: CardKeySet = {
      downlink: key('downlink'),
      uplink: deriveCardKey(masters[uplinkMaster], 'uplink', cardId),
      receipt: key('receipt'),
      acknowledgement: key('acknowledgement'),
      'load-in': key('load-in'),
      'load-out': key('load-out'),
    };
    if (limits !== undefined) await module.storeData(DGI.limits, limits, false);
    for (const value of trust) await module.storeData(DGI.verificationKey, value, false);
    if (wanted.pin !== undefined) await module.storeData(DGI.pin, wanted.pin, false);
    await accounts.recordKeyed(cardId);
    await module.storeData(DGI.keys, encodeCardKeys(cardKeys), true);
    if (limits !== undefined) await accounts.recordLimits(cardId, limits);
  }
  await module.setStatus('active');
  return cardId;
}

/** @throws OutOfRangeError when the card could hold nothing, trusts too many, or has a PIN policy and no PIN. */
export function requireUsableCard({ trust = [], limits, pin, ...wanted }: NewCard): void {
  if (wanted.maximumBalance === 0n || wanted.maximumUnacknowledged === 0n) {
    const least = formatMoney(1n, currencyByNumber(wanted.currency));
    throw new OutOfRangeError(`a card that may hold nothing is of no use; name at least ${least}`);
  }
  if (trust.length > VERIFICATION_PLACES) {
    throw new OutOfRangeError(
      `a card keeps ${VERIFICATION_PLACES} verification keys; name no more of them with --trust`,
    );
  }
  if (pin === undefined && limits !== undefined && (limits.pinForSessions || limits.pinLiftsRating)) {
    throw new OutOfRangeError('this PIN policy needs a PIN; add --pin or --pin-file');
  }
}
