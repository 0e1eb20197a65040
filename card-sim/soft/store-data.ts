import { MAX_PIN_POLICY } from '../../apdu/decode-module/card-limits.ts';
import {
  CARD_ID,
  CARD_KEY_VALUE,
  CARD_LIMITS,
  CARD_PROFILE,
  MODULE_CLASS,
  STORE_DATA_HEADER,
  VERIFICATION_KEY_VALUE,
} from '../../apdu/layout/card.ts';
import { MAX_MONEY } from '../../apdu/layout/max-money.ts';
import { STATUS } from '../../apdu/decode-module/module-status.ts';
import { POINT_LENGTH, UNCOMPRESSED } from '../../apdu/decode-module/keys/p256.ts';
import { DGI } from '../../apdu/decode-module/personalisation.ts';
import { PIN_LENGTH } from '../../apdu/decode-module/pin.ts';
import { VERIFICATION_PLACES } from '../../apdu/decode-module/keys/verification-key.ts';
import { LIFE } from '../../apdu/decode-module/select-answer.ts';
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
  const dgi = STORE_DATA_HEADER.readUint(data, 'dgi');
  const blank = persistent.life === LIFE.blank;
  if ((dgi & SECRET) !== 0 && (transient.level & C_ENC) === 0) return STATUS.SECURITY;
  if (!blank && (dgi === DGI.profile || dgi === DGI.keys)) return STATUS.NOT_NOW;
  const value = data.slice(STORE_DATA_HEADER.length);
  if (STORE_DATA_HEADER.readUint(data, 'length') !== value.length || !fits(dgi, value)) return STATUS.BAD_FIELD;
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
      return isLimits(value);
    case DGI.verificationKey:
      return (
        value.length === VERIFICATION_KEY_VALUE.length &&
        VERIFICATION_KEY_VALUE.readUint(value, 'place') < VERIFICATION_PLACES
      );
    case DGI.headEnd:
      return value.length === POINT_LENGTH && value[0] === UNCOMPRESSED;
    case DGI.keys:
      return value.length === CARD_KEY_VALUE.length;
    case DGI.pin:
      return value.length === PIN_LENGTH;
    default:
      return false;
  }
}

function isProfile(value: Uint8Array): boolean {
  if (value.length !== CARD_PROFILE.length) return false;
  const moduleClass = CARD_ID.readUint(value, 'moduleClass', CARD_PROFILE.at.cardId);
  return (
    (moduleClass === MODULE_CLASS.card || moduleClass === MODULE_CLASS.soft) &&
    CARD_PROFILE.readUint(value, 'maximumBalance') <= Number(MAX_MONEY) &&
    CARD_PROFILE.isReservedZero(value)
  );
}

function isLimits(value: Uint8Array): boolean {
  return (
    value.length === CARD_LIMITS.length &&
    CARD_LIMITS.readUint(value, 'pinPolicy') <= MAX_PIN_POLICY &&
    CARD_LIMITS.isReservedZero(value)
  );
}
