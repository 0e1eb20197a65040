import { AesCbc } from '../../apdu/decode-module/aes-cbc.ts';
import { type ContentCiphers, contentCiphers } from '../../apdu/decode-module/card-part.ts';
import { splitKey } from '../../apdu/decode-module/key-pair.ts';
import { KIND } from '../../apdu/decode-module/kinds.ts';
import { cardKeyIn, KEYS_LENGTH } from '../../apdu/decode-module/personalisation.ts';
import { RECEIPT_LENGTH, RECEIPT_RING } from '../../apdu/decode-module/receipt.ts';
import { LIFE } from '../../apdu/decode-module/select-answer.ts';
import { FormatError } from '../../apdu/errors.ts';
import { readUint } from '../../apdu/octets.ts';
import { type Change, type CardStore, Eeprom } from './eeprom.ts';
import {
  decodeServiceSlot,
  encodeServiceSlot,
  type Purchase,
  SERVICE_SLOT_LENGTH,
  SERVICE_SLOTS,
  type ServiceKey,
} from './keys.ts';
import { NumberWindow } from './number-window.ts';
import { decodeRecord, encodeRecord, FIRST_RECORD, type PurseRecord, RECORD_LENGTH } from './purse-record.ts';

/** "TCSM", version 1: the first octets of an image. */
const MAGIC = Uint8Array.of(0x54, 0x43, 0x53, 0x4d, 0x00, 0x01);

/** Where things stand in the image. One purse record is enough here: nothing wears out. */
const AT = {
  life: 8,
  hasProfile: 9,
  hasKeys: 10,
  profile: 16,
  keys: 40,
  window: 136,
  services: 144,
  record: 144 + SERVICE_SLOTS * SERVICE_SLOT_LENGTH,
  receipts: 144 + SERVICE_SLOTS * SERVICE_SLOT_LENGTH + RECORD_LENGTH,
} as const;

const IMAGE_LENGTH = AT.receipts + RECEIPT_RING * RECEIPT_LENGTH;

/** What DGI 8001 brought, ready for work; the uplink key waits for a later version of the page. */
interface WorkingKeys {
  readonly downlink: ContentCiphers;
  readonly receipt: AesCbc;
  readonly acknowledgement: AesCbc;
  readonly loadIn: AesCbc;
  readonly loadOut: AesCbc;
}

/** What a new card holds. */
export function blankImage(): Uint8Array {
  const image = new Uint8Array(IMAGE_LENGTH);
  image.set(MAGIC);
  return image;
}

/** The persistent memory of a card. @throws FormatError when the store holds something else. */
export function openEeprom(store?: CardStore): Eeprom {
  const eeprom = new Eeprom(blankImage(), store);
  if (MAGIC.some((octet, index) => eeprom.image[index] !== octet)) {
    throw new FormatError(
      'this file is not a soft card of this version; choose another, or take it away for a new card',
    );
  }
  return eeprom;
}

/** Everything that survives the power, read when it comes and written at once. */
export class PersistentState {
  readonly #eeprom: Eeprom;
  #record: PurseRecord;
  #window: NumberWindow;
  #keys: WorkingKeys | undefined;
  readonly #services: (ServiceKey | undefined)[] = [];

  constructor(eeprom: Eeprom) {
    this.#eeprom = eeprom;
    this.#record = decodeRecord(this.#view(AT.record, RECORD_LENGTH));
    this.#window = NumberWindow.decode(this.#view(AT.window, 8));
    for (let slot = 0; slot < SERVICE_SLOTS; slot++) {
      this.#services.push(decodeServiceSlot(this.#view(serviceAt(slot), SERVICE_SLOT_LENGTH)));
    }
  }

  #view(at: number, length: number): Uint8Array {
    return this.#eeprom.image.subarray(at, at + length);
  }

  /** As in `LIFE`. */
  get life(): number {
    return this.#eeprom.image[AT.life] ?? 0;
  }

  /** 8 octets, zeros before DGI 0001 has come. */
  get cardId(): Uint8Array {
    return this.#view(AT.profile, 8);
  }

  get serial(): number {
    return readUint(this.#eeprom.image, AT.profile + 4, 4);
  }

  /** Class octet of the card id. */
  get moduleClass(): number {
    return this.#eeprom.image[AT.profile + 3] ?? 0;
  }

  get currency(): number {
    return readUint(this.#eeprom.image, AT.profile + 8, 2);
  }

  get maximumBalance(): number {
    return readUint(this.#eeprom.image, AT.profile + 10, 6);
  }

  get mostUnacknowledged(): number {
    return readUint(this.#eeprom.image, AT.profile + 16, 6);
  }

  get hasProfile(): boolean {
    return this.#eeprom.image[AT.hasProfile] === 1;
  }

  get hasKeys(): boolean {
    return this.#eeprom.image[AT.hasKeys] === 1;
  }

  /** Only of a card that has been active. */
  get keys(): WorkingKeys {
    if (this.#keys === undefined) {
      const value = this.#view(AT.keys, KEYS_LENGTH);
      this.#keys = {
        downlink: contentCiphers(splitKey(KIND.unique, 0, this.serial, cardKeyIn(value, 'downlink'))),
        receipt: new AesCbc(cardKeyIn(value, 'receipt')),
        acknowledgement: new AesCbc(cardKeyIn(value, 'acknowledgement')),
        loadIn: new AesCbc(cardKeyIn(value, 'load-in')),
        loadOut: new AesCbc(cardKeyIn(value, 'load-out')),
      };
    }
    return this.#keys;
  }

  /** One data group, and with the last one the life of the card. */
  personalise(group: { readonly profile: Uint8Array } | { readonly keys: Uint8Array }, last: boolean): void {
    const changes: Change[] = [octetAt(AT.life, last ? LIFE.active : LIFE.personalised)];
    if ('profile' in group) changes.push({ at: AT.profile, octets: group.profile }, octetAt(AT.hasProfile, 1));
    else changes.push({ at: AT.keys, octets: group.keys }, octetAt(AT.hasKeys, 1));
    if (last) changes.push({ at: AT.record, octets: encodeRecord(FIRST_RECORD) });
    this.#eeprom.write(...changes);
    if (last) this.#record = FIRST_RECORD;
  }

  get record(): PurseRecord {
    return this.#record;
  }

  /** Writes the next record. */
  changeRecord(change: Partial<Omit<PurseRecord, 'sequence'>>): void {
    const record = { ...this.#record, ...change, sequence: this.#record.sequence + 1 };
    this.#eeprom.write({ at: AT.record, octets: encodeRecord(record) });
    this.#record = record;
  }

  /** @param number of a receipt that the ring holds. */
  receipt(number: number): Uint8Array {
    return this.#view(receiptAt(number), RECEIPT_LENGTH);
  }

  writeReceipt(number: number, receipt: Uint8Array): void {
    this.#eeprom.write({ at: receiptAt(number), octets: receipt });
  }

  get window(): NumberWindow {
    return this.#window;
  }

  /** By slot. */
  get services(): readonly (ServiceKey | undefined)[] {
    return this.#services;
  }

  /** A purchase and its number, as one. */
  writeService(slot: number, purchase: Purchase): void {
    const octets = encodeServiceSlot(purchase);
    const window = this.#window.take(purchase.number);
    this.#eeprom.write({ at: serviceAt(slot), octets }, { at: AT.window, octets: window.encode() });
    this.#services[slot] = decodeServiceSlot(octets);
    this.#window = window;
  }

  deleteService(slot: number): void {
    this.#eeprom.write({ at: serviceAt(slot), octets: new Uint8Array(SERVICE_SLOT_LENGTH) });
    this.#services[slot] = undefined;
  }
}

function octetAt(at: number, value: number): Change {
  return { at, octets: Uint8Array.of(value) };
}

function serviceAt(slot: number): number {
  return AT.services + slot * SERVICE_SLOT_LENGTH;
}

function receiptAt(number: number): number {
  return AT.receipts + (number % RECEIPT_RING) * RECEIPT_LENGTH;
}
