import { FormatError } from '../../errors.ts';
import { readUint } from '../../octets.ts';
import { readAmount } from '../requests/signed-message.ts';

const LOG_RECORD_LENGTH = 176;

/** A purse record of GET LOG; amounts in micro-units; `firmware-notes/protocol.md` 7.2. */
export interface LogRecord {
  readonly sequence: number;
  readonly loaded: bigint;
  readonly spent: bigint;
  readonly torn: bigint;
  readonly loadNumber: number;
  /** 8 octets. */
  readonly loadId: Uint8Array;
  /** Of the last load; or the credit limit that it set. */
  readonly loadAmount: bigint;
  /** The last load set the credit limit. */
  readonly limitLoaded: boolean;
  readonly session: number;
  /** Of the session that was open; 0: none had taken anything. */
  readonly service: number;
  readonly taken: bigint;
  /** Days of media time since 1970. */
  readonly day: number;
  /** Taken on that day. */
  readonly spentOfDay: bigint;
  readonly receiptsWritten: number;
  readonly receiptsAcknowledged: number;
  readonly unacknowledged: bigint;
  /** Highest group opened of the last streams, oldest first. */
  readonly marks: readonly { readonly ssrc: number; readonly group: number }[];
  readonly creditLimit: bigint;
  /** `NO_SPEND_LIMIT`: none. */
  readonly spendLimit: bigint;
}

/** @throws FormatError when it is none. */
export function parseLogRecord(octets: Uint8Array): LogRecord {
  if (octets.length !== LOG_RECORD_LENGTH) {
    throw new FormatError(`a purse record has ${LOG_RECORD_LENGTH} octets, not ${octets.length}; the card is faulty`);
  }
  return {
    sequence: readUint(octets, 0, 4),
    loaded: readAmount(octets, 4),
    spent: readAmount(octets, 10),
    torn: readAmount(octets, 16),
    loadNumber: readUint(octets, 22, 4),
    loadId: octets.slice(26, 34),
    loadAmount: readAmount(octets, 34),
    limitLoaded: octets[168] === 1,
    session: readUint(octets, 40, 4),
    service: readUint(octets, 44, 4),
    taken: readAmount(octets, 48),
    day: readUint(octets, 102, 2),
    spentOfDay: readAmount(octets, 104),
    receiptsWritten: readUint(octets, 110, 4),
    receiptsAcknowledged: readUint(octets, 114, 4),
    unacknowledged: readAmount(octets, 118),
    marks: [124, 132, 140, 148].map((at) => ({ ssrc: readUint(octets, at, 4), group: readUint(octets, at + 4, 4) })),
    creditLimit: readAmount(octets, 156),
    spendLimit: readAmount(octets, 162),
  };
}
