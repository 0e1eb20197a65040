import { expect } from 'vitest';
import { bridgeTest } from '../../support/streams/bridge-test.ts';
import { makePayloads, personalise, START, TestService } from '../../support/streams/test-service.ts';

const test = bridgeTest('soft');
const OCTETS = 10 * 1316;

test('a head-end that stops without a BYE and starts anew is gone on with, and nothing of it counts as forged', async ({
  card,
  network,
  start,
}) => {
  const cardId = await personalise(card, 1, 10_000_000n);
  const run = await start(card);
  const payload: Uint8Array[] = [];
  for (let round = 0; round < 4; round++) {
    const service = new TestService({ cards: [cardId], start: START + 100 * round });
    const payloads = makePayloads(20);
    payload.push(...payloads);
    // The content key comes before the grant too: datagrams overtake each other.
    const keys = service.keys();
    network.keys(round % 2 === 0 ? keys : keys.toReversed());
    await network.groups(service.seal(payloads));
    await run.until(() => run.bridge.status.groups === 2 * (round + 1));
  }
  expect(run.sink.payload.equals(Buffer.concat(payload))).toBe(true);
  expect(run.bridge.status.state).toBe('playing');
  expect(Object.entries(run.bridge.status.drops).filter(([, count]) => count > 0)).toEqual([]);
  expect(run.notices).toEqual([]);
  const { code, bill } = await run.stop();
  expect(code).toBe('STOPPED');
  expect(bill).toMatchObject({ amount: (BigInt(8 * OCTETS) * 250_000n) / 1_000_000n });
});
