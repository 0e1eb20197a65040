import type { Attack, Attempt } from './attempt.ts';
import { bogus } from './bogus.ts';
import { forgePrice } from './forge-price.ts';
import { leaveReplay } from './leave-replay.ts';
import { loadTwice } from './load-twice.ts';
import { replay } from './replay.ts';
import { rollback } from './rollback.ts';
import { shareAt } from './share.ts';
import { splice } from './splice.ts';
import type { Target } from './target.ts';
import { tear } from './tear.ts';
import { time } from './time.ts';
import { wrongParent } from './wrong-parent.ts';

/** Every attack, in the order of `all`. @param bitRate that `share` reckons with, bit/s. */
export function attacks(bitRate: number): readonly Attack[] {
  return [
    replay,
    rollback,
    tear,
    splice,
    bogus,
    time,
    shareAt(bitRate),
    loadTwice,
    leaveReplay,
    forgePrice,
    wrongParent,
  ];
}

/** Runs one attack on a card that was reset and cleared, and clears it again. */
export async function* launch(attack: Attack, target: Target): AsyncIterable<Attempt> {
  await target.reset();
  await target.clear();
  for await (const attempt of attack.run(target)) yield attempt;
  await target.clear();
}
