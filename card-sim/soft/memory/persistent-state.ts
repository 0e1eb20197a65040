import { AesCbc } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import { type ContentCiphers, contentCiphers } from '../../../apdu/decode-module/packets/card-part.ts';
import { deriveWorkingKeys } from '../../../apdu/decode-module/working-keys.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import {
  type CardLimits,
  decodeCardLimits,
  encodeCardLimits,
  NO_LIMITS,
} from '../../../apdu/decode-module/card-limits.ts';
import { DGI } from '../../../apdu/decode-module/personalisation.ts';
import { PIN_LENGTH, PIN_TRIES } from '../../../apdu/decode-module/pin.ts';
import { VERIFICATION_PLACES } from '../../../apdu/decode-module/keys/verification-key.ts';
import { RECEIPT_RING } from '../../../apdu/decode-module/money/receipt.ts';
import {
  CARD_ID,
  CARD_KEY_VALUE,
  CARD_LIMITS,
  CARD_PROFILE,
  VERIFICATION_KEY,
  VERIFICATION_KEY_VALUE,
} from '../../../apdu/layout/card.ts';
import { PURSE_RECORD, RECEIPT } from '../../../apdu/layout/money.ts';
import { LIFE } from '../../../apdu/decode-module/select-answer.ts';
import { FormatError } from '../../../apdu/errors.ts';
import { concat, readUint, writeUint } from '../../../apdu/octets.ts';
import { type ChannelKeySet, CHANNEL_KEY_LENGTH, checkKeySet } from '../../../apdu/secure-channel/scp03-keys.ts';
import { type Change, type CardStore, Eeprom } from './eeprom.ts';
import { KEY_MEMORY_LENGTH, KeyMemory } from '../keys/key-memory.ts';
import { KEY_PAIRS_LENGTH, KeyPairs } from '../keys/key-pairs.ts';
import type { ChannelMemory } from '../secure-channel.ts';
import { decodeRecord, encodeRecord, FIRST_RECORD, type PurseRecord } from '../money/purse-record.ts';

/** "TCSM", version 1: the first octets of an image. */
const MAGIC = Uint8Array.of(0x54, 0x43, 0x53, 0x4d, 0x00, 0x01);

/** Purse records kept, for GET LOG. */
export const RECORDS = 64;

/** Where things stand in the image. */
const AT = {
  life: 8,
  hasProfile: 9,
  hasKeys: 10,
  hasPin: 11,
  triesLeft: 12,
  profile: 16,
  keys: 40,
  keyMemory: 136,
  records: 136 + KEY_MEMORY_LENGTH,
  receipts: 136 + KEY_MEMORY_LENGTH + RECORDS * PURSE_RECORD.length,
} as const;

const LIMITS_AT = AT.receipts + RECEIPT_RING * RECEIPT.length;
const VERIFICATION_AT = LIMITS_AT + CARD_LIMITS.length;
const VERIFICATION_LENGTH = VERIFICATION_PLACES * VERIFICATION_KEY.length;
const PIN_AT = VERIFICATION_AT + VERIFICATION_LENGTH;
/** Version, ENC, MAC, DEK; then the sequence counter. */
const CHANNEL_AT = PIN_AT + PIN_LENGTH;
const KEY_SET_LENGTH = 1 + 3 * CHANNEL_KEY_LENGTH;
const COUNTER_AT = CHANNEL_AT + KEY_SET_LENGTH;
const COUNTER_LENGTH = 3;
const KEY_PAIRS_AT = COUNTER_AT + COUNTER_LENGTH;
const IMAGE_LENGTH = KEY_PAIRS_AT + KEY_PAIRS_LENGTH;

/** What DGI 8001 brought, ready for work. */
interface CardCiphers {
  readonly downlink: ContentCiphers;
  readonly uplink: AesCbc;
  readonly receipt: AesCbc;
  readonly acknowledgement: AesCbc;
  readonly loadIn: AesCbc;
  readonly loadOut: AesCbc;
}

/** What a new card holds. @param keys of its secure channel. */
export function blankImage(keys: ChannelKeySet): Uint8Array {
  const image = new Uint8Array(IMAGE_LENGTH);
  image.set(MAGIC);
  image.set(encodeCardLimits(NO_LIMITS), LIMITS_AT);
  image.set(encodeKeySet(keys), CHANNEL_AT);
  return image;
}

/** Opens the persistent memory of a card. @throws FormatError when the store holds something else. */
export function openEeprom(keys: ChannelKeySet, store?: CardStore): Eeprom {
  const image = store?.load()?.slice() ?? blankImage(keys);
  requireImage(image);
  return new Eeprom(image, store);
}

/** @throws FormatError when this is not the image of a card of this version. */
export function requireImage(image: Uint8Array): void {
  if (image.length !== IMAGE_LENGTH || MAGIC.some((octet, index) => image[index] !== octet)) {
    throw new FormatError(
      `the saved card (${image.length} octets) is damaged, of another version, or not a soft card; ` +
        'name another file, or take this one away and personalise a new card',
    );
  }
}

/** Everything that survives the power, read when it comes and written at once. */
export class PersistentState {
  readonly #eeprom: Eeprom;
  #record: PurseRecord;
  #limits: CardLimits;
  #keys: CardCiphers | undefined;
  readonly keyMemory: KeyMemory;
  readonly keyPairs: KeyPairs;

  constructor(eeprom: Eeprom) {
    this.#eeprom = eeprom;
    this.#record = newestRecord(eeprom.image);
    this.#limits = decodeCardLimits(this.#view(LIMITS_AT, CARD_LIMITS.length));
    this.keyMemory = new KeyMemory(eeprom, AT.keyMemory);
    this.keyPairs = new KeyPairs(eeprom, KEY_PAIRS_AT);
  }

  #view(at: number, length: number): Uint8Array {
    return this.#eeprom.image.subarray(at, at + length);
  }

  /** As in `LIFE`. */
  get life(): number {
    return this.#eeprom.image[AT.life] ?? 0;
  }

  set life(state: number) {
    this.#eeprom.write(octetAt(AT.life, state));
  }

  /** 8 octets, zeros before DGI 0001 has come. */
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

  get maximumBalance(): number {
    return CARD_PROFILE.readUint(this.#eeprom.image, 'maximumBalance', AT.profile);
  }

  get maximumUnacknowledged(): number {
    return CARD_PROFILE.readUint(this.#eeprom.image, 'maximumUnacknowledged', AT.profile);
  }

  get hasProfile(): boolean {
    return this.#eeprom.image[AT.hasProfile] === 1;
  }

  get hasKeys(): boolean {
    return this.#eeprom.image[AT.hasKeys] === 1;
  }

  /** Only of a card that has been active. */
  get keys(): CardCiphers {
    if (this.#keys === undefined) {
      const value = this.#view(AT.keys, CARD_KEY_VALUE.length);
      this.#keys = {
        downlink: contentCiphers(
          deriveWorkingKeys(KIND.unique, 0, this.serial, CARD_KEY_VALUE.view(value, 'downlink')),
        ),
        uplink: new AesCbc(CARD_KEY_VALUE.view(value, 'uplink')),
        receipt: new AesCbc(CARD_KEY_VALUE.view(value, 'receipt')),
        acknowledgement: new AesCbc(CARD_KEY_VALUE.view(value, 'acknowledgement')),
        loadIn: new AesCbc(CARD_KEY_VALUE.view(value, 'load-in')),
        loadOut: new AesCbc(CARD_KEY_VALUE.view(value, 'load-out')),
      };
    }
    return this.#keys;
  }

  get limits(): CardLimits {
    return this.#limits;
  }

  /** Four places, as GET DATA answers them. */
  get verificationKeys(): Uint8Array {
    return this.#view(VERIFICATION_AT, VERIFICATION_LENGTH);
  }

  /** 8 octets, or nothing when none was ever set. */
  get pin(): Uint8Array | undefined {
    return this.#eeprom.image[AT.hasPin] === 1 ? this.#view(PIN_AT, PIN_LENGTH) : undefined;
  }

  /** Of VERIFY. */
  get triesLeft(): number {
    return this.#eeprom.image[AT.triesLeft] ?? 0;
  }

  set triesLeft(tries: number) {
    this.#eeprom.write(octetAt(AT.triesLeft, tries));
  }

  /** With all tries. */
  set pin(pin: Uint8Array) {
    this.#eeprom.write(...pinChanges(pin));
  }

  /** One data group of a blank card, its value right, and with the last one the life of the card. */
  personalise(dgi: number, value: Uint8Array, last: boolean): void {
    const limits = dgi === DGI.limits ? decodeCardLimits(value) : this.#limits;
    const first = { ...FIRST_RECORD, spendLimit: Number(limits.spendLimit) };
    const end = [octetAt(AT.life, LIFE.personalised), { at: recordAt(first.sequence), octets: encodeRecord(first) }];
    this.#eeprom.write(...groupChanges(dgi, value), ...(last ? end : []));
    this.#limits = limits;
    if (last) this.#record = first;
  }

  /** One data group of a card that is personalised; its spend limit goes into the record. */
  changeGroup(dgi: number, value: Uint8Array): void {
    const changes = groupChanges(dgi, value);
    if (dgi !== DGI.limits) {
      this.#eeprom.write(...changes);
      return;
    }
    const limits = decodeCardLimits(value);
    const sequence = this.#record.sequence + 1;
    const record = { ...this.#record, spendLimit: Number(limits.spendLimit), sequence };
    this.#eeprom.write(...changes, { at: recordAt(sequence), octets: encodeRecord(record) });
    this.#limits = limits;
    this.#record = record;
  }

  /** What the secure channel keeps. */
  get channel(): ChannelMemory {
    const eeprom = this.#eeprom;
    const { cardId } = this;
    return {
      cardId,
      get keys() {
        return decodeKeySet(eeprom.image.subarray(CHANNEL_AT, COUNTER_AT));
      },
      get counter() {
        return readUint(eeprom.image, COUNTER_AT, COUNTER_LENGTH);
      },
      raiseCounter() {
        const octets = new Uint8Array(COUNTER_LENGTH);
        writeUint(octets, 0, COUNTER_LENGTH, this.counter + 1);
        eeprom.write({ at: COUNTER_AT, octets });
      },
      replaceKeys(keys) {
        eeprom.write({ at: CHANNEL_AT, octets: encodeKeySet(keys) });
      },
    };
  }

  get record(): PurseRecord {
    return this.#record;
  }

  /** Writes the next record. */
  changeRecord(change: Partial<Omit<PurseRecord, 'sequence'>>): void {
    const record = { ...this.#record, ...change, sequence: this.#record.sequence + 1 };
    this.#eeprom.write({ at: recordAt(record.sequence), octets: encodeRecord(record) });
    this.#record = record;
  }

  /** The record so many steps back, 0 to 63, if there was one. */
  loggedRecord(back: number): Uint8Array | undefined {
    const sequence = this.#record.sequence - back;
    return sequence < 1 ? undefined : this.#view(recordAt(sequence), PURSE_RECORD.length);
  }

  /** @param number of a receipt that the ring holds. */
  receipt(number: number): Uint8Array {
    return this.#view(receiptAt(number), RECEIPT.length);
  }

  writeReceipt(number: number, receipt: Uint8Array): void {
    this.#eeprom.write({ at: receiptAt(number), octets: receipt });
  }
}

function octetAt(at: number, value: number): Change {
  return { at, octets: Uint8Array.of(value) };
}

function pinChanges(pin: Uint8Array): Change[] {
  return [{ at: PIN_AT, octets: pin }, octetAt(AT.hasPin, 1), octetAt(AT.triesLeft, PIN_TRIES)];
}

function groupChanges(dgi: number, value: Uint8Array): Change[] {
  switch (dgi) {
    case DGI.profile:
      return [{ at: AT.profile, octets: value }, octetAt(AT.hasProfile, 1)];
    case DGI.limits:
      return [{ at: LIMITS_AT, octets: value }];
    case DGI.verificationKey:
      return [
        {
          at: VERIFICATION_AT + VERIFICATION_KEY_VALUE.readUint(value, 'place') * VERIFICATION_KEY.length,
          octets: value.subarray(VERIFICATION_KEY_VALUE.at.id),
        },
      ];
    case DGI.headEnd:
      return [{ at: KEY_PAIRS_AT, octets: value }];
    case DGI.keys:
      return [{ at: AT.keys, octets: value }, octetAt(AT.hasKeys, 1)];
    default:
      return pinChanges(value);
  }
}

function encodeKeySet(keys: ChannelKeySet): Uint8Array {
  checkKeySet(keys);
  return concat(Uint8Array.of(keys.version), keys.enc, keys.mac, keys.dek);
}

function decodeKeySet(octets: Uint8Array): ChannelKeySet {
  const key = (index: number): Uint8Array => octets.slice(1 + index * 16, 17 + index * 16);
  return { version: octets[0] ?? 0, enc: key(0), mac: key(1), dek: key(2) };
}

function recordAt(sequence: number): number {
  return AT.records + (sequence % RECORDS) * PURSE_RECORD.length;
}

/** The one with the highest sequence. */
function newestRecord(image: Uint8Array): PurseRecord {
  let newest = 0;
  for (let at = 0; at < RECORDS * PURSE_RECORD.length; at += PURSE_RECORD.length) {
    if (
      PURSE_RECORD.readUint(image, 'sequence', AT.records + at) >
      PURSE_RECORD.readUint(image, 'sequence', AT.records + newest)
    )
      newest = at;
  }
  return decodeRecord(image.subarray(AT.records + newest, AT.records + newest + PURSE_RECORD.length));
}

function receiptAt(number: number): number {
  return AT.receipts + (number % RECEIPT_RING) * RECEIPT.length;
}
