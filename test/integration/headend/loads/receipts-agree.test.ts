import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatCardId } from '../../../../apdu/decode-module/card-id.ts';
import { toHex } from '../../../../apdu/octets.ts';
import { readBalances } from '../../../../host/headend/ledger/read-ledger.ts';
import { BillingDesk, PRICE } from '../../../support/headend/billing-desk.ts';
import { IssuerDesk, UNIT } from '../../../support/issuer-desk.ts';

/** What a card, its network and the head-end do. */
const STEP = fc.oneof(
  fc.record({
    what: fc.constant('watch' as const),
    groups: fc.array(fc.integer({ min: 16, max: 40_000 }), { minLength: 1, maxLength: 6 }),
    end: fc.constantFrom('close', 'pull', 'stay'),
  }),
  fc.record({ what: fc.constant('deliver' as const), isAnswerLost: fc.boolean() }),
  fc.record({ what: fc.constant('load' as const), amount: fc.bigInt({ min: 1n, max: UNIT }) }),
  fc.record({ what: fc.constant('crash' as const) }),
);

test('receipts, journal, ledger and card agree over random sessions, pulls, loads, retries and crashes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(STEP, { minLength: 1, maxLength: 10 }), async (steps) => {
      const issuer = await IssuerDesk.withCard('soft');
      try {
        await issuer.load(10n * UNIT);
        await using desk = await BillingDesk.open(issuer);
        const onGroup: BillingDesk['journal']['count'] = (header) => desk.journal.count(header);
        const cardId = toHex(issuer.cardId);
        for (const [i, step] of steps.entries()) {
          if (step.what === 'watch') {
            await issuer.watchGroups(step.groups, { price: PRICE, quantum: 20_000n, onGroup });
            if (step.end === 'close') await issuer.module.closeSession();
            if (step.end === 'pull') await issuer.pull();
          }
          if (step.what === 'deliver') await desk.deliver(step.isAnswerLost);
          if (step.what === 'load') {
            const key = `key-number-${String(i).padStart(8, '0')}`;
            expect(await desk.load(step.amount, key, cardId)).toMatchObject({ amount: step.amount, repeated: false });
          }
          if (step.what === 'crash') await desk.crash(4 + 2 * i);
        }
        await issuer.module.select();
        await desk.deliver();
        const { differences } = await desk.receipts.reconcile({ from: 0, to: 0xffff_ffff });
        expect(differences).toEqual([]);
        await desk.loads.postAll();
        const { loaded, spent, torn } = await issuer.module.getPurse();
        const balances = await readBalances(desk.store);
        expect(balances.reduce((sum, { amount }) => sum + amount, 0n)).toBe(0n);
        const balanceOf = (account: string) => balances.find((one) => one.account === account)?.amount ?? 0n;
        const card = formatCardId(issuer.cardId);
        expect(balanceOf(`card:${card}`)).toBe(spent - loaded);
        expect(balanceOf('revenue:5')).toBe(torn - spent);
        const octets = await desk.store.selectFrom('receipt').select('octets').execute();
        expect(octets.reduce((sum, row) => sum + row.octets, 0n)).toBe(spent - torn);
      } finally {
        await issuer.close();
      }
    }),
    { numRuns: Number(process.env['RUNS'] ?? 8) },
  );
}, 60_000);
