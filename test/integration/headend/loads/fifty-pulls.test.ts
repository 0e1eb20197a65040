import { expect, test } from 'vitest';
import { toHex } from '../../../../apdu/octets.ts';
import type { CardKind } from '../../../../card-sim/index.ts';
import { BillingDesk, PRICE } from '../../../support/headend/billing/billing-desk.ts';
import { IssuerDesk, UNIT } from '../../../support/issuer-desk.ts';

const PULLS = 50;
const QUANTUM = 20_000n;

// At the same time: over PC/SC most of it is waiting, as pcscd looks for a card every 0.4 s.
test.concurrent.each<CardKind>(['soft', 'jcardsim', 'pcsc'])(
  `on %s: after ${PULLS} pulls the next load gives back what was torn, and balance = start - octets x price, exactly`,
  { timeout: 120_000 },
  async (kind) => {
    const issuer = await IssuerDesk.withCard(kind);
    try {
      await issuer.load(100n * UNIT);
      await using desk = await BillingDesk.open(issuer);
      for (let pull = 0; pull < PULLS; pull++) {
        const groups = Array.from({ length: 1 + (pull % 9) }, (_none, i) => 3000 + 100 * pull + i);
        const onGroup: BillingDesk['journal']['count'] = (header) => desk.journal.count(header);
        await issuer.watchGroups(groups, { price: PRICE, quantum: QUANTUM, onGroup });
        await issuer.pull();
        if (pull % 10 === 9) await desk.deliver();
      }
      await desk.deliver();
      const rows = await desk.store.selectFrom('receipt').select(['octets', 'amount', 'torn']).execute();
      expect(rows).toHaveLength(PULLS);
      const octets = rows.reduce((sum, row) => sum + row.octets, 0n);
      const torn = rows.reduce((sum, row) => sum + row.torn, 0n);
      expect(torn).toBeGreaterThan(QUANTUM);
      const { balance: before } = await issuer.module.getPurse();
      expect(before).toBe(100n * UNIT - octets - torn);

      expect(await desk.load(UNIT, 'the-key-of-this-load', toHex(issuer.cardId))).toMatchObject({ refund: torn });
      // One micro-unit an octet.
      expect((await issuer.module.getPurse()).balance).toBe(101n * UNIT - octets);
      const span = { from: 0, to: 0xffff_ffff };
      expect((await desk.receipts.reconcile(span)).differences).toEqual([]);
      expect(await desk.receipts.listFraud(span)).toEqual([]);
    } finally {
      await issuer.close();
    }
  },
);

test.concurrent('what the journal does not bear out is not given back unasked', async () => {
  const issuer = await IssuerDesk.withCard('soft');
  try {
    await issuer.load(10n * UNIT);
    await using desk = await BillingDesk.open(issuer);
    // The stream ended before it sent anything.
    await desk.journal.close();
    await issuer.watchGroups([30_000], { price: PRICE, quantum: QUANTUM });
    await issuer.pull();
    await issuer.watchGroups([15_000, 15_000], { price: PRICE, quantum: QUANTUM });
    await issuer.pull();
    await desk.deliver();
    expect(await desk.load(UNIT, 'the-key-of-this-load', toHex(issuer.cardId))).toMatchObject({ refund: 0n });
  } finally {
    await issuer.close();
  }
});
