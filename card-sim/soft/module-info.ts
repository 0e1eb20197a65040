import { DATA_OBJECT, encodeModuleData } from '../../apdu/decode-module/module-data.ts';
import { STATUS } from '../../apdu/decode-module/module-status.ts';
import {
  CAPABILITY,
  encodeSelectAnswer,
  lifeStateOf,
  PROTOCOL_VERSION,
} from '../../apdu/decode-module/select-answer.ts';
import type { PersistentState } from './memory/persistent-state.ts';
import { refuse } from './refusal.ts';

const MAX_SPAN = 208;
const MAX_COMMAND_DATA = 255;
const CAPABILITIES =
  (1 << CAPABILITY.suite1) |
  (1 << CAPABILITY.octets) |
  (1 << CAPABILITY.duration) |
  (1 << CAPABILITY.flat) |
  (1 << CAPABILITY.scp03) |
  (1 << CAPABILITY.pin) |
  (1 << CAPABILITY.marks) |
  (1 << CAPABILITY.tree) |
  (1 << CAPABILITY.p256) |
  (1 << CAPABILITY.blind);
/** 1.0 */
const MODULE_VERSION = 0x0100;
/** The most that the field can say, as this module has the memory of its host. */
const FREE_PAGES = 0xffff;

/** The answer to SELECT (protocol 2.1). */
export function selectAnswer({ cardId, currency, life }: PersistentState): Uint8Array {
  return encodeSelectAnswer({
    version: PROTOCOL_VERSION,
    cardId,
    life: lifeStateOf(life) ?? 'terminated',
    capabilities: CAPABILITIES,
    maxSpan: MAX_SPAN,
    maxCommandData: MAX_COMMAND_DATA,
    currency,
  });
}

/** GET DATA (protocol 2.3). @param object P1 P2. @throws Refusal 6A88 for an unknown object, 6700 where data came. */
export function getData(persistent: PersistentState, object: number, data: Uint8Array): Uint8Array {
  const value = readDataObject(persistent, object);
  if (value === undefined) refuse(STATUS.UNKNOWN_KEY);
  if (data.length !== 0) refuse(STATUS.WRONG_LENGTH);
  return value;
}

function readDataObject(persistent: PersistentState, object: number): Uint8Array | undefined {
  switch (object) {
    case DATA_OBJECT.module:
      return encodeModuleData({
        capabilities: CAPABILITIES,
        maxSpan: MAX_SPAN,
        maxCommandData: MAX_COMMAND_DATA,
        appletVersion: MODULE_VERSION,
        freePages: FREE_PAGES,
      });
    case DATA_OBJECT.verificationKeys:
      return persistent.verificationKeys.slice();
    case DATA_OBJECT.publicKey:
      return persistent.keyPairs.point;
    default:
      return undefined;
  }
}
