import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { lastNumber, LineSource } from './line-source.ts';
import { requireEqual, requireThat } from './mismatch.ts';
import type { Stage } from './stage.ts';

const OUT = 'head-ends';

/** What came of one watch over all head-ends; octets. */
export interface HeadEndTotals {
  readonly paid: number;
  readonly delivered: number;
  readonly missing: number;
}

/**
 * Kills a head-end again and again under one watch, which goes on with each that follows.
 * @throws Mismatch when the bill is not the price of what was paid, or what was delivered not what was received.
 */
export async function killHeadEnds(stage: Stage, times: number): Promise<HeadEndTotals> {
  const source = new LineSource();
  const watch = stage.startWatch(OUT);
  for (let run = 0; run <= times; run++) {
    const isLast = run === times;
    const headEnd = stage.startHeadEnd(...(isLast ? ['--end-at-stop'] : []));
    const first = source.start(headEnd.child.stdin!);
    // A line of this head-end, which therefore plays and is no longer starting.
    await stage.waitFor(OUT, (text) => lastNumber(text) >= first, watch, headEnd);
    await sleep(randomInt(0, 600));
    source.stop();
    if (isLast) {
      headEnd.child.kill('SIGTERM');
      await headEnd.ended;
    } else {
      await stage.kill(headEnd);
    }
  }
  requireEqual(`exit status of watch (${watch.said()})`, await stage.waitForEnd(watch), 0);
  const bill = JSON.parse(watch.stdout().trim().split('\n').at(-1)!) as Record<string, number>;
  const text = await stage.delivered(OUT);
  source.requireDelivered(text, false);
  const { receipts } = await stage.settle();
  const { paid = NaN, received = NaN, missing = NaN, charged = NaN, torn = NaN } = bill;
  requireEqual(
    'octets paid, by the receipts',
    receipts.reduce((sum, { octets }) => sum + octets, 0),
    paid,
  );
  requireEqual('charged, at one micro-unit an octet', charged, paid);
  requireEqual('torn', torn, 0);
  requireEqual('received and missing', received + missing, paid);
  requireEqual('delivered', text.length, received);
  requireThat(receipts.length === 1, `one watch left ${receipts.length} receipts`);
  return { paid, delivered: text.length, missing };
}
