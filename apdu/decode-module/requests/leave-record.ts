import { FormatError } from '../../errors.ts';
import { readUint, writeUint } from '../../octets.ts';
import type { AesCbc } from '../keys/aes-cbc.ts';
import { KIND } from '../kinds.ts';
import { requireSigned, signMessage } from './signed-message.ts';

/** A card's word that a purchase of its own ends earlier, for good; `firmware-notes/protocol.md` 4.5. */
export interface LeaveRecord {
  /** 8 octets. */
  readonly cardId: Uint8Array;
  readonly service: number;
  readonly keyId: number;
  /** Of the purchase's message; of a seed purchase that of its part 0. */
  readonly number: number;
  /** The purchase's end from now on. */
  readonly to: number;
}

const LEAVE_RECORD_LENGTH = 48;

/** @param mac of the uplink key. */
export function signLeaveRecord(record: LeaveRecord, mac: AesCbc): Uint8Array {
  const octets = new Uint8Array(LEAVE_RECORD_LENGTH);
  octets.set(record.cardId, 4);
  writeUint(octets, 12, 4, record.service);
  writeUint(octets, 16, 4, record.keyId);
  writeUint(octets, 20, 4, record.number);
  writeUint(octets, 24, 4, record.to);
  return signMessage(octets, KIND.leaveRecord, mac);
}

/**
 * @param uplinkKey of the card, 16 octets.
 * @throws FormatError, ForgedError.
 */
export function openLeaveRecord(octets: Uint8Array, uplinkKey: Uint8Array): LeaveRecord {
  requireSigned(octets, KIND.leaveRecord, LEAVE_RECORD_LENGTH, uplinkKey, 'leave record');
  return parseLeaveRecord(octets);
}

/**
 * What a leave record says, whoever wrote it: its holder has it from the card and cannot verify it.
 * @throws FormatError when it is cut short or of another kind.
 */
export function parseLeaveRecord(octets: Uint8Array): LeaveRecord {
  if (octets.length !== LEAVE_RECORD_LENGTH || octets[0] !== KIND.leaveRecord) {
    throw new FormatError('this is not a leave record; the card is faulty');
  }
  return {
    cardId: octets.slice(4, 12),
    service: readUint(octets, 12, 4),
    keyId: readUint(octets, 16, 4),
    number: readUint(octets, 20, 4),
    to: readUint(octets, 24, 4),
  };
}
