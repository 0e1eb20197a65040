import type { CardKind } from '../../../card-sim/index.ts';
import { cardTest } from '../../../card-sim/vitest.ts';
import { type BridgeRun, startBridge } from './bridge-run.ts';
import { TestNetwork } from './test-service.ts';

type Start = typeof startBridge extends (network: TestNetwork, ...rest: infer Rest) => Promise<BridgeRun>
  ? (...rest: Rest) => Promise<BridgeRun>
  : never;

/** `cardTest` with a `network` of its own and `start`: bridges on it, which end with the test. */
export function bridgeTest(kind: CardKind) {
  return cardTest(kind).extend<{ network: TestNetwork; start: Start }>({
    // oxlint-disable-next-line no-empty-pattern -- vitest reads the pattern to know what a fixture needs
    network: async ({}, use) => {
      const network = await TestNetwork.open();
      await use(network);
      await network.close();
    },
    start: async ({ network }, use) => {
      const runs: BridgeRun[] = [];
      await use(async (...rest) => {
        const run = await startBridge(network, ...rest);
        runs.push(run);
        return run;
      });
      for (const run of runs) await run.stop().catch(() => undefined);
    },
  });
}
