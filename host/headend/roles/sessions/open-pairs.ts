import type { HeadendPlan } from '../../config/headend-plan.ts';
import { CardPoints } from '../../keys/grants/card-points.ts';
import { openPairKey } from '../../keys/grants/pair-key.ts';
import type { Log } from '../log.ts';
import type { KeptService } from './sold-services.ts';

/** What messages under private halves are made with. */
export interface Pairs {
  /** The head-end's static private half, 32 octets. */
  readonly pairKey: Uint8Array;
  readonly points: CardPoints;
}

/** Opens the static key and the public halves of cards, and says how cards make pairs, where a session wants them. */
export async function openPairs(plan: HeadendPlan, services: readonly KeptService[], log: Log): Promise<Pairs> {
  const { privateKey, publicFile } = await openPairKey(plan.state, plan.pairKey);
  const isWanted = services.some(({ sessions }) =>
    sessions.some((session) => session.plan.parent === 'private-half' || session.plan.strategy === 'pair'),
  );
  if (publicFile !== undefined && isWanted) {
    log.info({ publicFile }, `cards make a key pair for this head-end by: issuer pair --head-end ${publicFile}`);
  }
  return { pairKey: privateKey, points: await CardPoints.open(plan.issuer) };
}
