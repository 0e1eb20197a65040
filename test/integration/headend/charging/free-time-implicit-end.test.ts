import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Bill } from '../../../../host/headend/charging/bill.ts';
import { formatTime, readEntry } from '../../../../host/headend/charging/charging-entry.ts';
import { DeskFixture, HandCard, SOLD } from '../../../support/headend/request-desk-fixture.ts';
import { NOW } from '../../../support/headend/sample-offer.ts';
import { nameTimes, TIMELINE_USER } from '../../../support/headend/timeline-names.ts';

/** Timeline 3B, free time with an implicit end: a flat battery, a lost network. */
const T = { tX0: NOW, tS1: NOW + 600, tX1: NOW + 1200, tE1: NOW + 2400, tE2: NOW + 4200 };
const HOURLY = {
  ...SOLD,
  charges: {
    terms: [{ part: 'content', payer: 'user', tariff: { kind: 'duration', price: 5_000_000n }, settlement: 'invoice' }],
  },
} as const;

describe.each(['forward', 'direct', 'transfer'] as const)('%s', (mode) => {
  const card = new HandCard(1);
  let fixture: DeskFixture;
  const transferred: (Bill & { isClosed: boolean })[] = [];

  beforeAll(async () => {
    fixture = await DeskFixture.open({ mode, sold: [HOURLY] });
    if (mode === 'transfer') {
      await fixture.close();
      const billing = {
        async forward(bill: Bill, isClosed: boolean) {
          transferred.push({ ...bill, isClosed });
        },
      };
      fixture = await DeskFixture.open({ sold: [HOURLY], charging: { mode, billing, period: 600 } });
    }
    await fixture.desk.assignUser(card.id, TIMELINE_USER);
  });

  afterAll(() => fixture.close());

  const printEntry = (): string | undefined => {
    const [entry] = fixture.desk.entries();
    const state = entry && readEntry(entry, fixture.now);
    const name = nameTimes(T);
    return state && `${state.user}: ${formatTime(state.time, name)}, expiry ${name(state.expiry)}`;
  };

  test('1. and 2. tX0: join(p, tS1, tE1), and the key comes before tS1', async () => {
    expect((await fixture.join(card, T.tS1, T.tE1)).messages).toHaveLength(1);
    expect(printEntry()).toBeUndefined();
  });

  test('3. and 4. tS1: entry (tE1-tS1), expiry tE1', async () => {
    await fixture.goTo(T.tS1);
    expect(printEntry()).toBe('21323421: (tE1-tS1), expiry tE1');
  });

  test('5. to 7. tX1: join(p, tE1, tE2); tE1: (tE1-tS1)+(tE2-tE1), expiry tE2', async () => {
    await fixture.goTo(T.tX1);
    await fixture.join(card, T.tE1, T.tE2);
    await fixture.goTo(T.tE1);
    expect(printEntry()).toBe('21323421: (tE1-tS1)+(tE2-tE1), expiry tE2');
    expect(fixture.listed()).toEqual([card.hex]);
  });

  test('8. tE2: charging stops at tE2 and not a moment later', async () => {
    await fixture.goTo(T.tE2 - 1);
    expect(fixture.listed()).toEqual([card.hex]);
    // Nobody looks for an hour: what is charged ends at tE2 all the same.
    await fixture.goTo(T.tE2 + 3600);
    expect(fixture.listed()).toEqual([]);
    expect(fixture.desk.entries()).toEqual([]);
    const charged = { user: TIMELINE_USER, from: T.tS1, to: T.tE2, seconds: 3600, amount: 5_000_000n };
    if (mode === 'transfer') {
      expect(transferred.at(-1)).toMatchObject({ ...charged, isClosed: true });
      const open = transferred.filter(({ isClosed }) => !isClosed).map(({ seconds }) => seconds);
      expect(open).toEqual([0, 600, 1800, 3599]);
    } else {
      expect(await fixture.bills()).toMatchObject([charged]);
    }
    // Nobody has to be told of a member that just expires: its keys end with it.
    expect(fixture.keys.ended).toEqual([]);
  });
});
