import { LIMITS_LENGTH } from '../../apdu/decode-module/card-limits.ts';
import { MOST_MONEY } from '../../apdu/decode-module/keys/ceilings.ts';
import { STATUS } from '../../apdu/decode-module/module-status.ts';
import { POINT_LENGTH, UNCOMPRESSED } from '../../apdu/decode-module/keys/p256.ts';
import { DGI, KEYS_LENGTH, PROFILE_LENGTH } from '../../apdu/decode-module/personalisation.ts';
import { PIN_LENGTH } from '../../apdu/decode-module/pin.ts';
import { VERIFICATION_ENTRY_LENGTH, VERIFICATION_PLACES } from '../../apdu/decode-module/keys/verification-key.ts';
import { LIFE } from '../../apdu/decode-module/select-answer.ts';
import { readUint } from '../../apdu/octets.ts';
import { C_ENC } from '../../apdu/secure-channel/security-level.ts';
import type { PersistentState } from './memory/persistent-state.ts';
import type { TransientState } from './memory/transient-state.ts';

/** Bit of a DGI whose value is secret. */
const SECRET = 0x8000;

/**
 * STORE DATA; `firmware-notes/protocol.md` 3.
 * @param data DGI u16, length u8, value; as it came through the channel that `transient` tells of.
 * @returns the status word.
 */
export function storeData(
  persistent: PersistentState,
  transient: TransientState,
  data: Uint8Array,
  last: boolean,
): number {
  const dgi = readUint(data, 0, 2);
  const blank = persistent.life === LIFE.blank;
  if ((dgi & SECRET) !== 0 && (transient.level & C_ENC) === 0) return STATUS.SECURITY;
  if (!blank && (dgi === DGI.profile || dgi === DGI.keys)) return STATUS.NOT_NOW;
  const value = data.slice(3);
  if (data[2] !== value.length || !fits(dgi, value)) return STATUS.BAD_FIELD;
  // 8: a new PIN is not a verified one.
  if (dgi === DGI.pin) transient.pinVerified = false;
  if (!blank) {
    persistent.changeGroup(dgi, value);
    return STATUS.DONE;
  }
  const whole = (persistent.hasProfile || dgi === DGI.profile) && (persistent.hasKeys || dgi === DGI.keys);
  if (last && !whole) return STATUS.NOT_NOW;
  persistent.personalise(dgi, value, last);
  return STATUS.DONE;
}

function fits(dgi: number, value: Uint8Array): boolean {
  switch (dgi) {
    case DGI.profile:
      return isProfile(value);
    case DGI.limits:
      return value.length === LIMITS_LENGTH && value[7]! <= 3 && value.subarray(8).every((octet) => octet === 0);
    case DGI.verificationKey:
      return value.length === 1 + VERIFICATION_ENTRY_LENGTH && value[0]! < VERIFICATION_PLACES;
    case DGI.headEnd:
      return value.length === POINT_LENGTH && value[0] === UNCOMPRESSED;
    case DGI.keys:
      return value.length === KEYS_LENGTH;
    case DGI.pin:
      return value.length === PIN_LENGTH;
    default:
      return false;
  }
}

function isProfile(value: Uint8Array): boolean {
  return (
    value.length === PROFILE_LENGTH &&
    (value[3] === 1 || value[3] === 2) &&
    readUint(value, 10, 6) <= Number(MOST_MONEY) &&
    readUint(value, 22, 2) === 0
  );
}
