import { MAX_PIN_POLICY } from '../../apdu/decode-module/card-limits.ts';
import { POINT_LENGTH, UNCOMPRESSED } from '../../apdu/decode-module/keys/p256.ts';
import { VERIFICATION_PLACES } from '../../apdu/decode-module/keys/verification-key.ts';
import { STATUS } from '../../apdu/decode-module/module-status.ts';
import { DGI } from '../../apdu/decode-module/personalisation.ts';
import { PIN_LENGTH } from '../../apdu/decode-module/pin.ts';
import { LIFE } from '../../apdu/decode-module/select-answer.ts';
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
import { C_ENC } from '../../apdu/secure-channel/security-level.ts';
import type { PersistentState } from './memory/persistent-state.ts';
import type { TransientState } from './memory/transient-state.ts';
import { refuse } from './refusal.ts';

/** Set in a DGI whose value is secret. */
const SECRET_BIT = 0x8000;

/**
 * STORE DATA (protocol 3).
 * @param data DGI u16, length u8, value, at least 3 octets, with the secure messaging taken off.
 * @param last whether P1 says that it is the last.
 * @throws Refusal
 */
export function storeData(
  persistent: PersistentState,
  transient: TransientState,
  data: Uint8Array,
  last: boolean,
): void {
  const dgi = STORE_DATA_HEADER.readUint(data, 'dgi');
  const isBlank = persistent.life === LIFE.blank;
  if ((dgi & SECRET_BIT) !== 0 && (transient.level & C_ENC) === 0) refuse(STATUS.SECURITY);
  if (!isBlank && (dgi === DGI.profile || dgi === DGI.keys)) refuse(STATUS.NOT_NOW);
  const value = data.slice(STORE_DATA_HEADER.length);
  if (STORE_DATA_HEADER.readUint(data, 'length') !== value.length || !isValueRight(dgi, value))
    refuse(STATUS.BAD_FIELD);
  // A new PIN is not a verified one (protocol 8).
  if (dgi === DGI.pin) transient.pinVerified = false;
  if (!isBlank) {
    persistent.changeDataObject(dgi, value);
    return;
  }
  const isWhole = (persistent.hasProfile || dgi === DGI.profile) && (persistent.hasKeys || dgi === DGI.keys);
  if (last && !isWhole) refuse(STATUS.NOT_NOW);
  persistent.personalise(dgi, value, last);
}

/** Whether a value is one that its DGI may have; an unknown DGI has none. */
function isValueRight(dgi: number, value: Uint8Array): boolean {
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
