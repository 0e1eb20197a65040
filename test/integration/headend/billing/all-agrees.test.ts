import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex } from '../../../../apdu/octets.ts';
import { readBalances, readEntries } from '../../../../host/headend/ledger/read-ledger.ts';
import { HOUR_PRICE, WholeDesk } from '../../../support/headend/whole/whole-desk.ts';
import { WholeSubscriber } from '../../../support/headend/whole/whole-subscriber.ts';
import { ISSUER } from '../../../support/issuer-desk.ts';
import { startIssuer } from '../../../support/issuer-fixture.ts';

/** By hand: RUNS=1000 SEED=7. */
const RUNS = Number(process.env['RUNS'] ?? 6);
const SEED = Number(process.env['SEED'] ?? 12);

const TROUBLE = fc.oneof(
  { weight: 6, arbitrary: fc.constant('none' as const) },
  { weight: 2, arbitrary: fc.constant('answer lost' as const) },
  { weight: 1, arbitrary: fc.constant('crash' as const) },
);
const WHO = { card: fc.integer({ min: 0, max: 1 }) };
const JOIN = fc.record({
  ...WHO,
  what: fc.constant('join' as const),
  skew: fc.integer({ min: -20, max: 60 }),
  length: fc.integer({ min: 30, max: 900 }),
  trouble: TROUBLE,
});
const EXTEND = fc.record({
  ...WHO,
  what: fc.constant('extend' as const),
  length: fc.integer({ min: 1, max: 900 }),
  trouble: TROUBLE,
});
const LEAVE = fc.record({
  ...WHO,
  what: fc.constant('leave' as const),
  way: fc.constantFrom('record' as const, 'request' as const),
  trouble: TROUBLE,
});
const WATCH = fc.record({
  ...WHO,
  what: fc.constant('watch' as const),
  groups: fc.array(fc.integer({ min: 16, max: 40_000 }), { minLength: 1, maxLength: 6 }),
  end: fc.constantFrom('close' as const, 'pull' as const, 'stay' as const),
});
const DELIVER = fc.record({ ...WHO, what: fc.constant('deliver' as const), isAnswerLost: fc.boolean() });
const LOAD = fc.record({
  ...WHO,
  what: fc.constant('load' as const),
  amount: fc.bigInt({ min: 1n, max: 1_000_000n }),
  /** Number of the answer that is lost; 0: none. */
  failing: fc.integer({ min: 0, max: 2 }),
  isCrash: fc.boolean(),
});
const PASS = fc.record({ what: fc.constant('pass' as const), seconds: fc.integer({ min: 1, max: 400 }) });
/** The clock is set, as NTP does. */
const CLOCK = fc.record({ what: fc.constant('clock' as const), seconds: fc.integer({ min: -120, max: 120 }) });
const CRASH = fc.record({ what: fc.constant('crash' as const) });
/** What cards, their network, the clock and the head-end do. */
const STEP = fc.oneof(
  { weight: 4, arbitrary: JOIN },
  { weight: 2, arbitrary: EXTEND },
  { weight: 2, arbitrary: LEAVE },
  { weight: 6, arbitrary: WATCH },
  { weight: 1, arbitrary: DELIVER },
  { weight: 2, arbitrary: LOAD },
  { weight: 3, arbitrary: PASS },
  { weight: 1, arbitrary: CLOCK },
  { weight: 1, arbitrary: CRASH },
);
type Step = typeof STEP extends fc.Arbitrary<infer S> ? S : never;

function take(step: Step, desk: WholeDesk, subscribers: readonly WholeSubscriber[]): Promise<void> {
  switch (step.what) {
    case 'pass':
      return desk.pass(step.seconds);
    case 'clock':
      return desk.step(step.seconds);
    case 'crash':
      return desk.crash();
    case 'join':
      return subscribers[step.card]!.join(step.skew, step.length, step.trouble);
    case 'extend':
      return subscribers[step.card]!.extend(step.length, step.trouble);
    case 'leave':
      return subscribers[step.card]!.leave(step.way, step.trouble);
    case 'watch':
      return subscribers[step.card]!.watch(step.groups, step.end);
    case 'deliver':
      return subscribers[step.card]!.deliver(step.isAnswerLost);
    case 'load':
      return subscribers[step.card]!.load(step.amount, step.failing, step.isCrash);
  }
}

test(
  'card, receipts, journal, bills and ledger agree, whatever cards, clocks and networks do',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(STEP, { minLength: 10, maxLength: 40, size: 'max' }), async (steps) => {
        await using started = new AsyncDisposableStack();
        const issuer = await startIssuer(ISSUER);
        started.defer(() => issuer.close());
        await using desk = await WholeDesk.open(issuer);
        await using first = await WholeSubscriber.start(issuer, desk);
        await using second = await WholeSubscriber.start(issuer, desk);
        const subscribers = [first, second];
        for (const step of steps) {
          await take(step, desk, subscribers);
          for (const one of subscribers) one.timePassed();
        }
        // All joins end.
        await desk.pass(40_000);
        for (const one of subscribers) await one.deliver(false);
        await requireAgreement(desk, subscribers);
      }),
      // A run that fails is read as it is: to shrink it takes minutes.
      { numRuns: RUNS, seed: SEED, endOnFailure: true },
    );
  },
  60_000 + 5000 * RUNS,
);

async function requireAgreement(desk: WholeDesk, subscribers: readonly WholeSubscriber[]): Promise<void> {
  const { store } = desk;
  const span = { from: 0, to: 0xffff_ffff };
  await desk.loads.postAll();
  expect((await desk.receipts.reconcile(span)).differences).toEqual([]);
  expect(await desk.receipts.listFraud(span)).toEqual([]);
  const balances = await readBalances(store);
  expect(balances.reduce((sum, { amount }) => sum + amount, 0n)).toBe(0n);
  const balanceOf = (account: string) => balances.find((one) => one.account === account)?.amount ?? 0n;
  let earned = 0n;
  for (const { name, cardId, module, agreed, opened, loaded: paid } of subscribers) {
    const { loaded, spent, torn } = await module.getPurse();
    const refunded = loaded - paid;
    expect(balanceOf(`card:${name}`)).toBe(spent - loaded);
    expect(balanceOf(`torn:${name}`)).toBe(refunded - torn);
    expect(refunded).toBeLessThanOrEqual(torn);
    // One micro-unit an octet: what was opened was paid, or torn.
    const rows = await store.selectFrom('receipt').selectAll().where('cardId', '=', toHex(cardId)).execute();
    expect(rows.reduce((sum, row) => sum + row.octets, 0n)).toBe(spent - torn);
    expect(opened).toBeLessThanOrEqual(spent);
    expect(opened).toBeGreaterThanOrEqual(spent - torn);
    // Each join is billed once, for the time that was agreed, to the second.
    const bills = await store.selectFrom('bill').selectAll().where('user', '=', name).orderBy('entryId').execute();
    expect(bills.map(({ timeFrom, timeTo, isClosed }) => ({ from: timeFrom, to: timeTo, isClosed }))).toEqual(
      agreed.map(({ from, to }) => ({ from, to, isClosed: true })),
    );
    const due = agreed.map(({ from, to }) => (BigInt(to - from) * HOUR_PRICE + 3599n) / 3600n);
    const charges = await readEntries(store, { kind: 'charge', account: `user:${name}` });
    expect(charges.flatMap(({ lines }) => lines.map(({ amount }) => amount))).toEqual(due.filter((one) => one > 0n));
    expect(balanceOf(`user:${name}`)).toBe(sumOf(due));
    earned += sumOf(due) + spent - torn;
  }
  expect(balanceOf('revenue:7')).toBe(-earned);
  expect(await store.selectFrom('member').selectAll().execute()).toEqual([]);
  expect(await store.selectFrom('chargingEntry').selectAll().execute()).toEqual([]);
}

function sumOf(amounts: readonly bigint[]): bigint {
  return amounts.reduce((sum, amount) => sum + amount, 0n);
}
