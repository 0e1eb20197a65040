import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { openOutput } from '../../../host/player/open-output.ts';
import { bridgeTest } from '../../support/streams/bridge-test.ts';
import { LOOPBACK, makePayloads, personalise, TestService } from '../../support/streams/test-service.ts';

const test = bridgeTest('soft');
const CREDIT = 10_000_000n;

test('the toll stops with the picture, and starts with it; what was paid and thrown away is counted', async ({
  card,
  network,
  start,
}) => {
  const service = new TestService({ cards: [await personalise(card, 1, CREDIT)] });
  const output = await openOutput(`http://${LOOPBACK}:0`, LOOPBACK);
  const run = await start(card, { sink: output });
  network.keys(service.keys());
  const player = spawn(process.execPath, ['--eval', `require('http').get('${output.where}', (r) => r.resume())`]);
  await run.until(() => output.isReady);
  // 2 Mbit/s.
  const sending = new AbortController();
  const sent = (async () => {
    while (!sending.signal.aborted) {
      await network.groups(service.seal(makePayloads(10)));
      await sleep(52);
    }
  })();
  const { status } = run.bridge;
  await run.until(() => status.groups > 10);

  const paidBefore = status.paid;
  player.kill('SIGSTOP');
  await run.until(() => status.state === 'waiting for a player');
  const paidAfter = status.paid;
  expect(paidAfter - paidBefore).toBeLessThanOrEqual(512 * 1024);
  await sleep(4000);
  expect(status.paid).toBe(paidAfter);
  expect(status.drops.noPlayer).toBeGreaterThan(0);

  player.kill('SIGCONT');
  await run.until(() => status.paid > paidAfter);
  expect(output.lost).toBe(0);
  // What waited in the bridge comes all at once.
  await sleep(1500);
  player.kill('SIGSTOP');
  await run.until(() => status.state === 'waiting for a player');
  player.kill('SIGKILL');
  sending.abort();
  await sent;
  const { bill } = await run.stop();
  await output.close();
  expect(output.lost).toBeGreaterThan(0);
  // With what came since the system was asked last, a quarter of a second ago.
  expect(output.lost).toBeLessThanOrEqual(1024 * 1024);
  expect(bill).toMatchObject({ amount: (BigInt(status.paid) * 250_000n + 999_999n) / 1_000_000n });
});
