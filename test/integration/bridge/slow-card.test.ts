import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { type SimulatedCard, startCard } from '../../../card-sim/index.ts';
import { type BridgeRun, startBridge } from '../../support/streams/bridge-run.ts';
import { makePayloads, personalise, TestNetwork, TestService } from '../../support/streams/test-service.ts';

const CREDIT = 10_000_000n;

let card: SimulatedCard | undefined;
let network: TestNetwork | undefined;
let run: BridgeRun | undefined;
let runner: number | undefined;

afterEach(async () => {
  if (runner !== undefined) process.kill(runner, 'SIGCONT');
  await run?.stop().catch(() => undefined);
  await card?.close();
  await network?.close();
});

/** The runner of this process's cards, which alone it starts with Java. */
function findRunner(): number {
  const children = readdirSync('/proc/self/task').flatMap((thread) =>
    readFileSync(`/proc/self/task/${thread}/children`, 'utf8').split(' ').filter(Boolean),
  );
  const [found, ...others] = children.filter((child) => readFileSync(`/proc/${child}/comm`, 'utf8') === 'java\n');
  expect(others).toEqual([]);
  return Number(found);
}

test(
  'a runner that stands still for a while is told of; then the run goes on, and nothing is lost or charged twice',
  {
    timeout: 60_000,
  },
  async () => {
    card = await startCard({ kind: 'jcardsim' });
    network = await TestNetwork.open();
    const service = new TestService({ cards: [await personalise(card, 1, CREDIT)] });
    run = await startBridge(network, card);
    const { bridge } = run;
    network.keys(service.keys());
    const payloads = makePayloads(200);
    const groups = service.seal(payloads);
    await network.groups(groups.slice(0, 10));
    await run.until(() => bridge.status.groups === 10);

    runner = findRunner();
    process.kill(runner, 'SIGSTOP');
    await network.groups(groups.slice(10));
    await run.until(() => bridge.status.state === 'waiting for the card');
    expect(bridge.status.reason).toBe('the card has not answered for 2 s; wait, or take it out and insert it again');
    process.kill(runner, 'SIGCONT');
    await run.until(() => bridge.status.packets === 200);
    expect(bridge.status.state).toBe('playing');
    const { bill } = await run.stop();
    expect(run.sink.payload.equals(Buffer.concat(payloads))).toBe(true);
    expect(bill).toMatchObject({ amount: 65_800n, torn: 0n, balance: CREDIT - 65_800n });
    expect(bill!.receipts).toHaveLength(1);
  },
);
