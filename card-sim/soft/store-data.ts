import { MOST_MONEY } from '../../apdu/decode-module/ceilings.ts';
import { STATUS } from '../../apdu/decode-module/module-status.ts';
import { DGI, KEYS_LENGTH, PROFILE_LENGTH } from '../../apdu/decode-module/personalisation.ts';
import { readUint } from '../../apdu/octets.ts';
import type { PersistentState } from './persistent-state.ts';

/** STORE DATA; `firmware-notes/protocol.md` 3. @param data DGI u16, length u8, value. @returns the status word. */
export function storeData(persistent: PersistentState, data: Uint8Array, last: boolean): number {
  const dgi = readUint(data, 0, 2);
  const value = data.slice(3);
  if (data[2] !== value.length) return STATUS.BAD_FIELD;
  if (dgi === DGI.profile) {
    if (!isProfile(value)) return STATUS.BAD_FIELD;
    if (last && !persistent.hasKeys) return STATUS.NOT_NOW;
    persistent.personalise({ profile: value }, last);
    return STATUS.DONE;
  }
  if (dgi !== DGI.keys || value.length !== KEYS_LENGTH) return STATUS.BAD_FIELD;
  if (last && !persistent.hasProfile) return STATUS.NOT_NOW;
  persistent.personalise({ keys: value }, last);
  return STATUS.DONE;
}

function isProfile(value: Uint8Array): boolean {
  return (
    value.length === PROFILE_LENGTH &&
    (value[3] === 1 || value[3] === 2) &&
    readUint(value, 10, 6) <= Number(MOST_MONEY) &&
    readUint(value, 22, 2) === 0
  );
}
