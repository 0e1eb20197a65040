import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openOutput } from '../../../host/player/open-output.ts';
import { measurePause, startHttpReader } from '../../support/streams/paused-player.ts';
import { findFreePort, LOOPBACK } from '../../support/streams/test-service.ts';
import { findMedian, type Measurement, type Row } from '../figures.ts';
import { makeScratchFolder } from '../left-behind.ts';
import { LiveDesk } from './live-desk.ts';
import { CLOSING_TIME, measureLineAges } from './ticker.ts';
import { LIVE_SOURCES, measureChargeError, SECONDS } from './wall-clock.ts';

const CARDS = 100;
/** Megabits a second. */
const RATES = [1, 4, 20];

/** What live sources, pauses and a batch of cards come to, as a user has them. */
export async function measureLive(): Promise<Measurement> {
  const desk = await LiveDesk.open(makeScratchFolder());
  const ages = await measureLineAges(desk, await findFreePort());
  const errors: Row[] = [];
  for (const [what, source] of Object.entries(LIVE_SOURCES)) {
    const figure = await measureChargeError(desk, source);
    errors.push({ what: `${what}: charge against wall clock`, figure, unit: '% off', goal: { atMost: 1 } });
  }
  return {
    how:
      `tollcast headend send, tollcast watch with a soft card, and tollcast issuer, by multicast on loopback. 100 lines on standard input, ` +
      `closing time ${CLOSING_TIME} ms, until the reader of the watch has them. What ffmpeg makes in ${SECONDS} s, at 2.00 USD/h. A player by HTTP ` +
      `that is stopped by SIGSTOP, at ${RATES.join(', ')} Mbit/s. A CSV of ${CARDS} soft cards, made and loaded.`,
    rows: [
      { what: 'age of a line at the receiver, median', figure: findMedian(ages), unit: 'ms' },
      {
        what: 'age of a line at the receiver, worst of 100',
        figure: Math.max(...ages),
        unit: 'ms',
        goal: { atMost: CLOSING_TIME + 100 },
      },
      ...errors,
      ...(await measurePauses()),
      { what: `batch of ${CARDS} soft cards`, figure: await measureBatch(desk), unit: 's', goal: { atMost: 10 } },
    ],
  };
}

async function measurePauses(): Promise<readonly Row[]> {
  let [paid, after] = [0, 0];
  for (const megabits of RATES) {
    const output = await openOutput(`http://${LOOPBACK}:0`, LOOPBACK);
    const pause = await measurePause(output, startHttpReader(output.where), megabits);
    paid = Math.max(paid, pause.isStopped ? pause.paid : Infinity);
    after = Math.max(after, pause.goesOnAfter);
  }
  return [
    { what: 'paid after a pause, the most', figure: paid / 1024, unit: 'KB', goal: { atMost: 512 } },
    { what: 'paying again after a pause, the latest', figure: after / 1000, unit: 's', goal: { atMost: 2 } },
  ];
}

/** Seconds. */
async function measureBatch(desk: LiveDesk): Promise<number> {
  const rows = Array.from({ length: CARDS }, (_none, i) => `soft:batch-${i}.card\n`);
  await writeFile(join(desk.folder, 'cards.csv'), `card\n${rows.join('')}`);
  const startedAt = performance.now();
  await desk.start('issuer batch cards.csv --amount', '5.00 USD').ended;
  return (performance.now() - startedAt) / 1000;
}
