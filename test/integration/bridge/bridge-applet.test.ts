import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { cardTest } from '../../../card-sim/vitest.ts';
import { openCard } from '../../../host/transport/card/card-address.ts';
import { startBridge } from '../../support/streams/bridge-run.ts';
import { makePayloads, personalise, TestNetwork, TestService } from '../../support/streams/test-service.ts';

const CREDIT = 10_000_000n;

// The applet on jCardSim, over TCP and over pcscd with vpcd.
describe.each(['jcardsim', 'pcsc'] as const)('a bridge with a card over %s', (kind) => {
  const test = cardTest(kind);

  test('plays it all, for what the bill says', { timeout: 60_000 }, async ({ card }) => {
    const network = await TestNetwork.open();
    const service = new TestService({ cards: [await personalise(card, 1, CREDIT)] });
    const run = await startBridge(network, card, { open: () => openCard(card.address) });
    network.keys(service.keys());
    await run.until(() => run.bridge.status.commands >= 6);
    const payloads = makePayloads(1000);
    const { commands } = run.bridge.status;
    await network.groups(service.seal(payloads));
    await run.until(() => run.bridge.status.packets === 1000);
    const { bill } = await run.stop();
    await network.close();
    expect(run.sink.payload.equals(Buffer.concat(payloads))).toBe(true);
    expect(bill).toMatchObject({ amount: 329_000n, torn: 0n, balance: CREDIT - 329_000n });
    // One for each group; the rest are the session, the bill and a look into the purse each second.
    expect(run.bridge.status.commands - commands).toBeLessThan(100 + 10);
  });

  test('goes on when it is pulled and put back, and pays for nothing twice', { timeout: 60_000 }, async ({ card }) => {
    const network = await TestNetwork.open();
    const service = new TestService({ cards: [await personalise(card, 1, CREDIT)], quantum: 10_000n });
    const run = await startBridge(network, card, { open: () => openCard(card.address) });
    const payloads = makePayloads(600);
    for (const [g, group] of service.seal(payloads).entries()) {
      if (g % 5 === 0) network.keys(service.keys());
      if (g === 15 || g === 35) {
        await run.until(() => run.bridge.status.state === 'playing');
        await card.pull();
        setTimeout(() => void card.insert(), 200);
      }
      await network.groups([group]);
      await sleep(40);
    }
    await run.until(() => run.bridge.status.packets === 600);
    const { bill } = await run.stop();
    await network.close();
    expect(run.sink.payload.equals(Buffer.concat(payloads))).toBe(true);
    expect(run.states.filter((state) => state === 'waiting for the card')).toHaveLength(2);
    expect(bill!.receipts.map(({ reason }) => reason)).toEqual(['torn', 'torn', 'closed']);
    expect(bill!.balance + bill!.amount + bill!.torn).toBe(CREDIT);
    expect(bill!.receipts.reduce((sum, { octets }) => sum + octets, 0)).toBeLessThanOrEqual(run.bridge.status.paid);
  });
});
