import { FormatError } from '../../errors.ts';
import { readUint } from '../../octets.ts';
import { readAmount } from '../requests/signed-message.ts';
import { amountOf } from './tariff.ts';

/** Octets of the answer to GET PURSE. */
export const PURSE_STATUS_LENGTH = 70;

/** The purse as GET PURSE shows it; amounts in micro-units; `firmware-notes/protocol.md` 7.2. */
export class PurseStatus {
  /** Number of the record: rises by one with every write to the purse. */
  readonly sequence: number;
  /** All credit ever loaded. */
  readonly loaded: bigint;
  /** All credit ever settled, torn included. */
  readonly spent: bigint;
  /** Of `spent`, what was taken and not used when the power went. */
  readonly torn: bigint;
  /** Most that loaded - spent may come to. */
  readonly maximum: bigint;
  /** ISO 4217 number. */
  readonly currency: number;
  /** Number of the last load. */
  readonly loadNumber: number;
  /** Number of the last session that paid. */
  readonly session: number;
  /** Service of the open session; 0: none is open. */
  readonly service: number;
  /** Taken from the balance for the open session. */
  readonly taken: bigint;
  /** Used of it, in ticks of 1/18,000,000 micro-unit. */
  readonly usedTicks: bigint;
  readonly receiptsWritten: number;
  readonly receiptsAcknowledged: number;
  /** Amounts of the receipts not acknowledged. */
  readonly unacknowledged: bigint;

  /**
   * @param octets answer to GET PURSE.
   * @throws FormatError when it is none.
   */
  constructor(octets: Uint8Array) {
    if (octets.length !== PURSE_STATUS_LENGTH) {
      throw new FormatError(
        `a purse status has ${PURSE_STATUS_LENGTH} octets, not ${octets.length}; the card is faulty`,
      );
    }
    this.sequence = readUint(octets, 0, 4);
    this.loaded = readAmount(octets, 4);
    this.spent = readAmount(octets, 10);
    this.torn = readAmount(octets, 16);
    this.maximum = readAmount(octets, 22);
    this.currency = readUint(octets, 28, 2);
    this.loadNumber = readUint(octets, 30, 4);
    this.session = readUint(octets, 34, 4);
    this.service = readUint(octets, 38, 4);
    this.taken = readAmount(octets, 42);
    this.usedTicks = (BigInt(readUint(octets, 48, 4)) << 32n) | BigInt(readUint(octets, 52, 4));
    this.receiptsWritten = readUint(octets, 56, 4);
    this.receiptsAcknowledged = readUint(octets, 60, 4);
    this.unacknowledged = readAmount(octets, 64);
  }

  /** What the open session comes to if it is closed now. */
  get used(): bigint {
    return amountOf(this.usedTicks);
  }

  /** What would be left if the session were closed now. */
  get balance(): bigint {
    return this.loaded - this.spent - this.used;
  }

  /** What the card can still take for the open session, beside what it has taken. */
  get available(): bigint {
    return this.loaded - this.spent - this.taken;
  }

  /** Receipts to be delivered to the issuer. */
  get receiptsDue(): number {
    return this.receiptsWritten - this.receiptsAcknowledged;
  }
}
