import { expect, test } from 'vitest';
import { StrangerShare } from '../../../host/bridge/intake/stranger-share.ts';

const SOURCES = [7];

/** So many packets of strangers a second, of which the network lets through what is asked for; what is asked for. */
function flood(share: StrangerShare, perSecond: number, from: number, to: number, isPlaying: boolean): number[] {
  const asked: number[] = [];
  let through = 1;
  for (let now = from; now < to; now += 10) {
    share.add((perSecond * through) / 100);
    const preference = share.look(now, isPlaying, () => SOURCES);
    if (preference === undefined) continue;
    expect(preference.sources).toBe(SOURCES);
    through = preference.share;
    asked.push(through);
  }
  return asked;
}

test('a flood is limited within a moment, to a thousand packets a second, as long as it lasts', () => {
  const share = new StrangerShare();
  const [first, ...others] = flood(share, 100_000, 0, 3000, true);
  expect(first).toBeCloseTo(0.01, 2);
  for (const other of others) expect(other * 100_000).toBeGreaterThan(500);
  for (const other of others) expect(other * 100_000).toBeLessThan(2000);
  expect(flood(share, 0, 3000, 5000, true).at(-1)).toBe(1);
});

test('where nothing of a flood is let in while it is limited, it is let in for ever fewer moments', () => {
  const share = new StrangerShare();
  const opened: number[] = [];
  let isLimited = false;
  let letIn = 0;
  for (let now = 0; now < 60_000; now += 10) {
    if (!isLimited) share.add(200);
    if (!isLimited) letIn += 200;
    const preference = share.look(now, true, () => SOURCES);
    if (preference === undefined) continue;
    isLimited = preference.share < 1;
    if (!isLimited) opened.push(now);
  }
  expect(opened.length).toBeLessThan(12);
  expect(letIn).toBeLessThan(60 * 250);
  // Nobody is kept out for longer than a moment once nothing is opened.
  expect(share.look(60_000, false, () => SOURCES)?.share).toBe(1);
  // A flood that is over and comes back much later is looked at as often as the first.
  flood(share, 0, 60_000, 65_000, true);
  expect(flood(share, 100_000, 65_000, 66_000, true).length).toBeGreaterThan(1);
});

test('a few strangers are not limited', () => {
  expect(flood(new StrangerShare(), 2000, 0, 3000, true)).toEqual([]);
});

test('nobody is limited while nothing is opened: the sender may have moved', () => {
  expect(flood(new StrangerShare(), 100_000, 0, 3000, false)).toEqual([]);
  const share = new StrangerShare();
  flood(share, 100_000, 0, 1000, true);
  expect(flood(share, 100_000, 1000, 1020, false)).toEqual([1]);
});
