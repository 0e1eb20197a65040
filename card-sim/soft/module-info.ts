import { encodeLimitsInForce } from '../../apdu/decode-module/limits-in-force.ts';
import { DATA_OBJECT, encodeModuleData } from '../../apdu/decode-module/module-data.ts';
import { STATUS } from '../../apdu/decode-module/module-status.ts';
import { encodeSelectAnswer, lifeStateOf, PROTOCOL_VERSION } from '../../apdu/decode-module/select-answer.ts';
import type { CommandLimits } from './command-limits.ts';
import type { PersistentState } from './memory/persistent-state.ts';
import type { TransientState } from './memory/transient-state.ts';
import { refuse } from './refusal.ts';

/** 1.0 */
const MODULE_VERSION = 0x0100;
/** The most that the field can say, as this module has the memory of its host. */
const FREE_PAGES = 0xffff;

/** The answer to SELECT (protocol 2.1). */
export function selectAnswer(persistent: PersistentState, limits: CommandLimits): Uint8Array {
  const { cardId, currency, life } = persistent;
  const { capabilities, maxSpan, maxCommandData } = limits;
  return encodeSelectAnswer({
    version: PROTOCOL_VERSION,
    cardId,
    life: lifeStateOf(life) ?? 'terminated',
    capabilities,
    maxSpan,
    maxCommandData,
    currency,
  });
}

/** GET DATA (protocol 2.3). @param object P1 P2. @throws Refusal 6A88 for an unknown object, 6700 where data came. */
export function getData(
  persistent: PersistentState,
  transient: TransientState,
  object: number,
  data: Uint8Array,
): Uint8Array {
  const value = readDataObject(persistent, transient, object);
  if (value === undefined) refuse(STATUS.UNKNOWN_KEY);
  if (data.length !== 0) refuse(STATUS.WRONG_LENGTH);
  return value;
}

function readDataObject(
  persistent: PersistentState,
  { limits, pinVerified }: TransientState,
  object: number,
): Uint8Array | undefined {
  const { capabilities, maxSpan, maxCommandData } = limits;
  switch (object) {
    case DATA_OBJECT.module:
      return encodeModuleData({
        capabilities,
        maxSpan,
        maxCommandData,
        appletVersion: MODULE_VERSION,
        freePages: FREE_PAGES,
      });
    case DATA_OBJECT.limits: {
      const triesLeft = persistent.pin === undefined ? undefined : persistent.triesLeft;
      return encodeLimitsInForce({ ...persistent.limits, triesLeft, pinVerified });
    }
    case DATA_OBJECT.verificationKeys:
      return persistent.verificationKeys.slice();
    case DATA_OBJECT.publicKey:
      return persistent.keyPairs.point;
    default:
      return undefined;
  }
}
