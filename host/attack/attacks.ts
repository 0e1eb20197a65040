import { bogus } from './attacks/bogus.ts';
import { forgePrice } from './attacks/forge-price.ts';
import { leaveReplay } from './attacks/leave-replay.ts';
import { loadTwice } from './attacks/load-twice.ts';
import { replay } from './attacks/replay.ts';
import { rollback } from './attacks/rollback.ts';
import { makeShareAttack } from './attacks/share.ts';
import { splice } from './attacks/splice.ts';
import { tear } from './attacks/tear.ts';
import { time } from './attacks/time.ts';
import { wrongParent } from './attacks/wrong-parent.ts';
import type { Attack, Attempt } from './kit/attempt.ts';
import type { Target } from './kit/target.ts';

/** Lists every attack, in the order in which `all` runs them. @param bitRate bit/s, which `share` computes with. */
export function listAttacks(bitRate: number): readonly Attack[] {
  return [
    replay,
    rollback,
    tear,
    splice,
    bogus,
    time,
    makeShareAttack(bitRate),
    loadTwice,
    leaveReplay,
    forgePrice,
    wrongParent,
  ];
}

/** Runs one attack on a card that was reset and made ready, and makes it ready again afterwards. */
export async function* runAttack(attack: Attack, target: Target): AsyncIterable<Attempt> {
  await target.reset();
  await target.makeReady();
  for await (const attempt of attack.run(target)) yield attempt;
  await target.makeReady();
}
