import type { Values } from '../../layout/field-table.ts';
import { LEAVE_RECORD } from '../../layout/requests.ts';
import type { AesCbc, CbcFactory } from '../keys/aes-cbc.ts';
import { KIND } from '../kinds.ts';
import { openMessage, parseMessage, sealMessage } from '../signed-message.ts';

/** A card's statement that one of its purchases ends earlier, for good; `firmware-notes/protocol.md` 4.5. */
export interface LeaveRecord extends Values<typeof LEAVE_RECORD> {}

/** Makes a leave record. @param mac of the uplink key. */
export function signLeaveRecord(record: LeaveRecord, mac: AesCbc): Uint8Array {
  return sealMessage(LEAVE_RECORD, KIND.leaveRecord, record, mac);
}

/**
 * Reads a leave record without asking who made it.
 * @throws FormatError when it is not a leave record.
 */
export function parseLeaveRecord(octets: Uint8Array): LeaveRecord {
  return parseMessage(LEAVE_RECORD, KIND.leaveRecord, octets);
}

/**
 * Reads the leave record of a card whose key is known.
 * @param uplinkKey of the card, 16 octets.
 * @throws FormatError when it is not a leave record, ForgedError when its tag is wrong.
 */
export function openLeaveRecord(octets: Uint8Array, uplinkKey: Uint8Array, makeCipher?: CbcFactory): LeaveRecord {
  return openMessage(LEAVE_RECORD, KIND.leaveRecord, octets, uplinkKey, makeCipher);
}
