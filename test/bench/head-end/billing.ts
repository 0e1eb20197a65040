import { makeBill } from '../../../host/headend/charging/bill.ts';
import { openEntry } from '../../../host/headend/charging/charging-entry.ts';
import { StoreBilling } from '../../../host/headend/charging/store-billing.ts';
import { startOfPeriod } from '../../../host/headend/ledger/ledger-period.ts';
import { currencyByCode } from '../../../host/money/currency.ts';
import { BillingFixture } from '../../support/headend/billing/billing-fixture.ts';
import { findMedian, type Measurement } from '../figures.ts';
import { MeasurementError } from '../measurement-error.ts';

const MEMBERS = 100_000;
/** Joins of a member in the month. */
const JOINS = 2;
/** Entries that are forwarded at a time. */
const AT_ONCE = 5000;
const NOVEMBER = startOfPeriod('2026-11');
const CHARGES = {
  terms: [{ part: 'content', payer: 'user', tariff: { kind: 'duration', price: 5_000_000n }, settlement: 'invoice' }],
  currency: currencyByCode('USD'),
} as const;

/** How quickly entries are billed, and a month is invoiced. */
export async function measureBilling(): Promise<Measurement> {
  const fixture = await BillingFixture.open([{ name: 'VAT', rate: 1900 }]);
  const delays: number[] = [];
  try {
    const billing = new StoreBilling(fixture.writer);
    const billed = await measureSeconds(() => billAll(billing));
    await fixture.closeMonth('2026-11');
    const watch = watchLoop(delays);
    const invoiced = await measureSeconds(async () => {
      const issued = await fixture.invoices.issue('2026-11');
      if (issued !== MEMBERS) throw new MeasurementError(`${issued} invoices were issued, not ${MEMBERS}`);
    });
    watch();
    return {
      how:
        `${(MEMBERS * JOINS).toLocaleString('en')} charging entries of ${MEMBERS.toLocaleString('en')} users, each billed ` +
        `and entered in the ledger, ${AT_ONCE.toLocaleString('en')} at a time; then the invoices of the month with one ` +
        `tax. Meanwhile the loop of the process is looked at every 10 ms.`,
      rows: [
        { what: 'entries billed', figure: (MEMBERS * JOINS) / billed, unit: 'entries/s' },
        { what: 'a month invoiced', figure: invoiced, unit: 's', goal: { atMost: 60 } },
        { what: 'the loop waits for an invoice, median', figure: findMedian(delays), unit: 'ms' },
        { what: 'the loop waits for an invoice, at most', figure: Math.max(...delays), unit: 'ms' },
      ],
    };
  } finally {
    await fixture.close();
  }
}

async function billAll(billing: StoreBilling): Promise<void> {
  for (let first = 1; first <= MEMBERS * JOINS; first += AT_ONCE) {
    await Promise.all(
      Array.from({ length: AT_ONCE }, (_, at) => {
        const id = first + at;
        const opened = {
          id,
          user: `user-${id % MEMBERS}`,
          session: 'tollcast 1 192.0.2.1',
          service: 7,
          charges: CHARGES,
        };
        const from = NOVEMBER + (id % 2_000_000);
        return billing.forward(makeBill(openEntry(opened, { from, to: from + 1800 })), true);
      }),
    );
  }
}

async function measureSeconds(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** Notes by how many ms a timer of 10 ms is late. @returns what ends it. */
function watchLoop(delays: number[]): () => void {
  let due = performance.now() + 10;
  const timer = setInterval(() => {
    const now = performance.now();
    delays.push(Math.max(0, now - due));
    due = now + 10;
  }, 10);
  return () => clearInterval(timer);
}
