import { type CardLimits, decodeCardLimits } from '../../../apdu/decode-module/card-limits.ts';
import { AesCbc } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { type ContentCiphers, makeContentCiphers } from '../../../apdu/decode-module/packets/card-part.ts';
import { DGI } from '../../../apdu/decode-module/personalisation.ts';
import { PIN_TRIES } from '../../../apdu/decode-module/pin.ts';
import { LIFE } from '../../../apdu/decode-module/select-answer.ts';
import { deriveWorkingKeys } from '../../../apdu/decode-module/working-keys.ts';
import {
  CARD_ID,
  CARD_KEY_VALUE,
  CARD_PROFILE,
  VERIFICATION_KEY,
  VERIFICATION_KEY_VALUE,
} from '../../../apdu/layout/card.ts';
import type { ChannelKeySet } from '../../../apdu/secure-channel/scp03-keys.ts';
import { KeyMemory } from '../keys/key-memory.ts';
import { KeyPairs } from '../keys/key-pairs.ts';
import { PurseMemory } from '../money/purse-memory.ts';
import type { ChannelMemory } from '../secure-channel.ts';
import { CARD_IMAGE, decodeKeySet, encodeKeySet } from './card-image.ts';
import type { Change, Eeprom } from './eeprom.ts';

const AT = CARD_IMAGE.at;

/** The keys of DGI 8001, their schedules made. */
interface CardCiphers {
  readonly downlink: ContentCiphers;
  readonly uplink: AesCbc;
  readonly receipt: AesCbc;
  readonly acknowledgement: AesCbc;
  readonly loadIn: AesCbc;
  readonly loadOut: AesCbc;
}

/** Everything that survives the power. It is read when the power comes, and what changes is written at once. */
export class PersistentState {
  readonly keyMemory: KeyMemory;
  readonly keyPairs: KeyPairs;
  readonly purse: PurseMemory;
  readonly #eeprom: Eeprom;
  #limits: CardLimits;
  #keys: CardCiphers | undefined;

  constructor(eeprom: Eeprom) {
    this.#eeprom = eeprom;
    this.#limits = decodeCardLimits(CARD_IMAGE.view(eeprom.image, 'limits'));
    this.keyMemory = new KeyMemory(eeprom, AT.keyMemory);
    this.keyPairs = new KeyPairs(eeprom, AT.keyPairs);
    this.purse = new PurseMemory(eeprom, AT.records, AT.receipts);
  }

  /** As in `LIFE`. */
  get life(): number {
    return CARD_IMAGE.readUint(this.#eeprom.image, 'life');
  }

  set life(state: number) {
    this.#eeprom.write(octetAt(AT.life, state));
  }

  /** 8 octets, zeros before DGI 0001. */
  get cardId(): Uint8Array {
    return CARD_PROFILE.view(this.#eeprom.image, 'cardId', AT.profile);
  }

  get serial(): number {
    return CARD_ID.readUint(this.cardId, 'serial');
  }

  /** Class octet of the card id. */
  get moduleClass(): number {
    return CARD_ID.readUint(this.cardId, 'moduleClass');
  }

  get currency(): number {
    return CARD_PROFILE.readUint(this.#eeprom.image, 'currency', AT.profile);
  }

  /** Micro-units. */
  get maximumBalance(): number {
    return CARD_PROFILE.readUint(this.#eeprom.image, 'maximumBalance', AT.profile);
  }

  /** Micro-units. */
  get maximumUnacknowledged(): number {
    return CARD_PROFILE.readUint(this.#eeprom.image, 'maximumUnacknowledged', AT.profile);
  }

  get hasProfile(): boolean {
    return this.#eeprom.image[AT.hasProfile] === 1;
  }

  get hasKeys(): boolean {
    return this.#eeprom.image[AT.hasKeys] === 1;
  }

  /** Only of a card that has been personalised. */
  get keys(): CardCiphers {
    this.#keys ??= makeCiphers(CARD_IMAGE.view(this.#eeprom.image, 'keys'), this.serial);
    return this.#keys;
  }

  get limits(): CardLimits {
    return this.#limits;
  }

  /** Four places, as GET DATA answers them. */
  get verificationKeys(): Uint8Array {
    return CARD_IMAGE.view(this.#eeprom.image, 'verificationKeys');
  }

  /** 8 octets, or nothing when none was ever set. */
  get pin(): Uint8Array | undefined {
    const { image } = this.#eeprom;
    return image[AT.hasPin] === 1 ? CARD_IMAGE.view(image, 'pin') : undefined;
  }

  /** Sets a PIN with all tries. */
  set pin(pin: Uint8Array) {
    this.#eeprom.write(...pinChanges(pin));
  }

  /** Tries that VERIFY has left, 0 to 3. */
  get triesLeft(): number {
    return CARD_IMAGE.readUint(this.#eeprom.image, 'triesLeft');
  }

  set triesLeft(tries: number) {
    this.#eeprom.write(octetAt(AT.triesLeft, tries));
  }

  /** Keeps a data object of a blank card, its value right; with the last one the card becomes personalised. */
  personalise(dgi: number, value: Uint8Array, last: boolean): void {
    const changes = dataObjectChanges(dgi, value);
    const limits = dgi === DGI.limits ? decodeCardLimits(value) : this.#limits;
    if (last) {
      this.purse.writeFirstRecord(Number(limits.spendLimit), ...changes, octetAt(AT.life, LIFE.personalised));
    } else {
      this.#eeprom.write(...changes);
    }
    this.#limits = limits;
  }

  /** Changes a data object of a card that is personalised; its spend limit goes into the record (protocol 3). */
  changeDataObject(dgi: number, value: Uint8Array): void {
    const changes = dataObjectChanges(dgi, value);
    if (dgi !== DGI.limits) {
      this.#eeprom.write(...changes);
      return;
    }
    const limits = decodeCardLimits(value);
    this.purse.changeRecord({ spendLimit: Number(limits.spendLimit) }, ...changes);
    this.#limits = limits;
  }

  /** The memory of the secure channel. */
  get channel(): ChannelMemory {
    const eeprom = this.#eeprom;
    const { cardId } = this;
    return {
      cardId,
      get keys(): ChannelKeySet {
        return decodeKeySet(CARD_IMAGE.view(eeprom.image, 'channelKeys'));
      },
      get counter(): number {
        return CARD_IMAGE.readUint(eeprom.image, 'channelCounter');
      },
      raiseCounter() {
        const { counter } = this;
        eeprom.write({ at: AT.channelCounter, octets: u24(counter + 1) });
      },
      replaceKeys(keys) {
        eeprom.write({ at: AT.channelKeys, octets: encodeKeySet(keys) });
      },
    };
  }
}

/** @param value of DGI 8001. */
function makeCiphers(value: Uint8Array, serial: number): CardCiphers {
  const key = (name: keyof typeof CARD_KEY_VALUE.at) => CARD_KEY_VALUE.view(value, name);
  return {
    downlink: makeContentCiphers(deriveWorkingKeys(KIND.unique, 0, serial, key('downlink'))),
    uplink: new AesCbc(key('uplink')),
    receipt: new AesCbc(key('receipt')),
    acknowledgement: new AesCbc(key('acknowledgement')),
    loadIn: new AesCbc(key('load-in')),
    loadOut: new AesCbc(key('load-out')),
  };
}

function octetAt(at: number, value: number): Change {
  return { at, octets: Uint8Array.of(value) };
}

function u24(value: number): Uint8Array {
  return Uint8Array.of(value >>> 16, value >>> 8, value);
}

function pinChanges(pin: Uint8Array): Change[] {
  return [{ at: AT.pin, octets: pin }, octetAt(AT.hasPin, 1), octetAt(AT.triesLeft, PIN_TRIES)];
}

function dataObjectChanges(dgi: number, value: Uint8Array): Change[] {
  switch (dgi) {
    case DGI.profile:
      return [{ at: AT.profile, octets: value }, octetAt(AT.hasProfile, 1)];
    case DGI.limits:
      return [{ at: AT.limits, octets: value }];
    case DGI.verificationKey: {
      const place = VERIFICATION_KEY_VALUE.readUint(value, 'place');
      const octets = value.subarray(VERIFICATION_KEY_VALUE.at.id);
      return [{ at: AT.verificationKeys + place * VERIFICATION_KEY.length, octets }];
    }
    case DGI.headEnd:
      return [{ at: AT.keyPairs, octets: value }];
    case DGI.keys:
      return [{ at: AT.keys, octets: value }, octetAt(AT.hasKeys, 1)];
    default:
      return pinChanges(value);
  }
}
