import { STATUS } from '../../apdu/decode-module/module-status.ts';
import { LIFE } from '../../apdu/decode-module/select-answer.ts';
import type { PersistentState } from './memory/persistent-state.ts';

/**
 * SET STATUS; `firmware-notes/protocol.md` 2. Life only rises, but for a blocked card that is active again; only what was active is blocked.
 * @param to as in `LIFE`. @returns the status word.
 */
export function setStatus(persistent: PersistentState, to: number): number {
  const from = persistent.life;
  if (from === to) return STATUS.DONE;
  if (from === LIFE.terminated) return STATUS.NOT_NOW;
  const allowed: readonly number[] =
    to === LIFE.terminated ? [from] : to === LIFE.blocked ? [LIFE.active] : [LIFE.personalised, LIFE.blocked];
  if (!allowed.includes(from)) return STATUS.NOT_NOW;
  persistent.life = to;
  return STATUS.DONE;
}
