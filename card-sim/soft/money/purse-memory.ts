import { RECEIPT_RING } from '../../../apdu/decode-module/money/receipt.ts';
import { PURSE_RECORD, RECEIPT } from '../../../apdu/layout/money.ts';
import type { Change, Eeprom } from '../memory/eeprom.ts';
import { decodeRecord, encodeRecord, FIRST_RECORD, type PurseRecord } from './purse-record.ts';

/** Purse records kept, for GET LOG. */
export const RECORD_PLACES = 64;

/** Octets that records and receipts take in the image. */
export const RECORDS_LENGTH = RECORD_PLACES * PURSE_RECORD.length;
export const RECEIPTS_LENGTH = RECEIPT_RING * RECEIPT.length;

/** The purse records and the ring of receipts in persistent memory (protocol 7.2, 7.5). */
export class PurseMemory {
  readonly #eeprom: Eeprom;
  readonly #recordsAt: number;
  readonly #receiptsAt: number;
  #record: PurseRecord;

  /** @param recordsAt, receiptsAt where they begin in the image. */
  constructor(eeprom: Eeprom, recordsAt: number, receiptsAt: number) {
    this.#eeprom = eeprom;
    this.#recordsAt = recordsAt;
    this.#receiptsAt = receiptsAt;
    this.#record = this.#readNewest();
  }

  /** The one with the highest sequence: the purse. */
  get record(): PurseRecord {
    return this.#record;
  }

  /** Writes the next record. @param others changes of the same atomic write. */
  changeRecord(change: Partial<Omit<PurseRecord, 'sequence'>>, ...others: readonly Change[]): void {
    this.#write({ ...this.#record, ...change, sequence: this.#record.sequence + 1 }, others);
  }

  /** Writes the first record of a card. @param others changes of the same atomic write. */
  writeFirstRecord(spendLimit: number, ...others: readonly Change[]): void {
    this.#write({ ...FIRST_RECORD, spendLimit }, others);
  }

  /** The record so many steps back, 0 to 63, if there was one. */
  loggedRecord(back: number): Uint8Array | undefined {
    const sequence = this.#record.sequence - back;
    return sequence < 1 ? undefined : this.#view(this.#recordAt(sequence), PURSE_RECORD.length);
  }

  /** @param number of a receipt that the ring holds. */
  receipt(number: number): Uint8Array {
    return this.#view(this.#receiptAt(number), RECEIPT.length);
  }

  writeReceipt(number: number, octets: Uint8Array): void {
    this.#eeprom.write({ at: this.#receiptAt(number), octets });
  }

  #write(record: PurseRecord, others: readonly Change[]): void {
    this.#eeprom.write(...others, { at: this.#recordAt(record.sequence), octets: encodeRecord(record) });
    this.#record = record;
  }

  #readNewest(): PurseRecord {
    let newest = this.#recordsAt;
    for (let place = 1; place < RECORD_PLACES; place++) {
      const at = this.#recordAt(place);
      if (this.#sequenceAt(at) > this.#sequenceAt(newest)) newest = at;
    }
    return decodeRecord(this.#view(newest, PURSE_RECORD.length));
  }

  #sequenceAt(at: number): number {
    return PURSE_RECORD.readUint(this.#eeprom.image, 'sequence', at);
  }

  #recordAt(sequence: number): number {
    return this.#recordsAt + (sequence % RECORD_PLACES) * PURSE_RECORD.length;
  }

  #receiptAt(number: number): number {
    return this.#receiptsAt + (number % RECEIPT_RING) * RECEIPT.length;
  }

  #view(at: number, length: number): Uint8Array {
    return this.#eeprom.image.subarray(at, at + length);
  }
}
