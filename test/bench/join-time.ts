import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Measurement, findMedian } from './figures.ts';
import { makeScratchFolder } from './left-behind.ts';
import { makeCard, makeSender, type PaidCard, Watcher } from './paid-service.ts';

const CARDS = 6;
const RATE = 5_000_000;
/** The head-end repeats its keys as often, so joins are spread over it. */
const KEY_INTERVAL = 250;
/** ms for which a bridge is left alone: it tells its times only at its end. */
const LONG_ENOUGH = 1000;

/** Time from joining a running service to the first plaintext. */
export async function measureJoinTime(): Promise<Measurement> {
  const folder = makeScratchFolder();
  const stop = new AbortController();
  const cards: PaidCard[] = [];
  for (let serial = 1; serial <= CARDS; serial++) cards.push(await makeCard(folder, serial));
  const { sender, port } = await makeSender(cards, makeEndlessSource(), 'data', { rate: RATE });
  const sending = sender.run(stop.signal);
  const first: number[] = [];
  const again: number[] = [];
  for (const times of [first, again]) {
    for (const [i, card] of cards.entries()) {
      await sleep((KEY_INTERVAL * i) / CARDS);
      const watcher = new Watcher(port, card);
      await watcher.says('listening');
      await sleep(LONG_ENOUGH);
      const { firstAfter } = await watcher.stop();
      if (firstAfter === undefined) throw new Error(`no plaintext ${LONG_ENOUGH} ms after joining`);
      times.push(firstAfter / 1000);
    }
  }
  stop.abort();
  await sending;
  return {
    how:
      `tollcast watch with a soft card joins a head-end that sends ${RATE / 1e6} Mbit/s, n = 100, groups of at most 250 ms; from opening the card ` +
      `and the sockets to the first octet delivered. ${CARDS} cards, each for the first time and again.`,
    rows: [
      { what: 'first join of a card, median', figure: findMedian(first), unit: 's', goal: { atMost: 0.5 } },
      { what: 'first join of a card, worst', figure: Math.max(...first), unit: 's', goal: { atMost: 0.5 } },
      { what: 'later join, median', figure: findMedian(again), unit: 's', goal: { atMost: 0.5 } },
      { what: 'later join, worst', figure: Math.max(...again), unit: 's', goal: { atMost: 0.5 } },
    ],
  };
}

function makeEndlessSource() {
  const chunk = randomBytes(65_536);
  return {
    async *[Symbol.asyncIterator]() {
      for (;;) yield { octets: chunk };
    },
  };
}
