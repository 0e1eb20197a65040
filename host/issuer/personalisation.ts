import { formatCardId, type ModuleClass } from '../../apdu/decode-module/card-id.ts';
import { CARD_KEYS, type CardKeyName, deriveCardKey } from '../../apdu/decode-module/card-keys.ts';
import type { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import {
  type CardKeySet,
  type CardProfile,
  DGI,
  encodeCardKeys,
  encodeCardProfile,
} from '../../apdu/decode-module/personalisation.ts';
import type { Accounts } from './accounts.ts';
import { IssuerError } from './issuer-error.ts';
import type { KeyStore } from './key-store.ts';

/** What a new card is to be. */
export interface NewCard extends Omit<CardProfile, 'cardId'> {
  readonly moduleClass: ModuleClass;
  /** u32; the next free one when it is left out. */
  readonly serial?: number | undefined;
}

/**
 * Makes a blank card one of this issuer's. It is in the accounts before it has a key, so that no card id is given twice; a card that
 * was pulled in between stays blank and gets another.
 *
 * The keys go to the card in the clear: do it where nobody listens.
 *
 * @param now seconds since 1970.
 * @returns the card id, 8 octets.
 * @throws IssuerError `NOT_BLANK` or `SERIAL_TAKEN`, and those of {@link KeyStore.open}.
 * @throws OutOfRangeError when an amount or the serial does not fit.
 */
export async function personalise(
  module: DecodeModule,
  keys: KeyStore,
  accounts: Accounts,
  wanted: NewCard,
  now: number,
): Promise<Uint8Array> {
  const { life, cardId: present } = await module.select();
  if (life !== 'blank' && life !== 'personalised') {
    throw new IssuerError('NOT_BLANK', `card ${formatCardId(present)} is personalised already; insert a blank one`);
  }
  // Whatever can be refused is refused before a card id is spent on it.
  encodeCardProfile({ ...wanted, cardId: new Uint8Array(8) });
  const masters = {
    unique: await keys.open('unique'),
    receipt: await keys.open('receipt'),
    load: await keys.open('load'),
  };
  const cardId = accounts.addCard(wanted, now);
  const key = (name: CardKeyName) => deriveCardKey(masters[CARD_KEYS[name]], name, cardId);
  const cardKeys: CardKeySet = {
    downlink: key('downlink'),
    uplink: key('uplink'),
    receipt: key('receipt'),
    acknowledgement: key('acknowledgement'),
    'load-in': key('load-in'),
    'load-out': key('load-out'),
  };
  await module.storeData(DGI.profile, encodeCardProfile({ ...wanted, cardId }), false);
  await module.storeData(DGI.keys, encodeCardKeys(cardKeys), true);
  return cardId;
}
