import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { LineSource } from './line-source.ts';
import { requireThat } from './mismatch.ts';
import { QUANTUM, type Stage } from './stage.ts';

/** Most micro-units of one group: a packet. */
const GROUP = 1400n;

/** What came of all runs. */
export interface WatcherTotals {
  readonly receipts: number;
  readonly octets: number;
  readonly torn: bigint;
  readonly delivered: number;
}

/**
 * Kills a watch again and again under one head-end, at any moment from its first octet on.
 * @throws Mismatch when more was delivered than the card charged or tore, or a run cost more than it may.
 */
export async function killWatchers(stage: Stage, times: number): Promise<WatcherTotals> {
  const source = new LineSource();
  const headEnd = stage.startHeadEnd();
  source.start(headEnd.child.stdin!);
  const totals = { receipts: 0, octets: 0, torn: 0n, delivered: 0 };
  try {
    for (let run = 0; run < times; run++) {
      const out = `watch-${run}`;
      const watch = stage.startWatch(out);
      await stage.waitFor(out, (text) => text.length > 0, watch, headEnd);
      await sleep(randomInt(0, 600));
      await stage.kill(watch);
      const text = await stage.delivered(out);
      source.requireDelivered(text, true);
      const { receipts } = await stage.settle();
      requireThat(receipts.length === 1, `run ${run} left ${receipts.length} receipts, and not one`);
      const [{ octets, amount, torn }] = receipts as [(typeof receipts)[number]];
      requireThat(
        BigInt(text.length) <= amount + torn,
        `run ${run} delivered ${text.length} octets for ${amount} charged and ${torn} torn`,
      );
      requireThat(torn < QUANTUM + GROUP, `run ${run} tore ${torn}, more than a quantum and a group`);
      totals.receipts += 1;
      totals.octets += octets;
      totals.torn += torn;
      totals.delivered += text.length;
    }
  } finally {
    source.stop();
    await stage.kill(headEnd);
  }
  return totals;
}
