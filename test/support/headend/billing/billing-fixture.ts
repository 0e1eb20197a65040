import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvoiceDesk } from '../../../../host/headend/billing/invoices/invoice-desk.ts';
import type { TaxRule } from '../../../../host/headend/billing/invoices/tax-rule.ts';
import type { LedgerEntry } from '../../../../host/headend/ledger/ledger-entry.ts';
import { type LedgerPeriod, startOfPeriod } from '../../../../host/headend/ledger/ledger-period.ts';
import { closeChange, postChanges } from '../../../../host/headend/ledger/ledger-rows.ts';
import { GroupWriter } from '../../../../host/store/group-writer.ts';
import { headendDatabase, type HeadendStore, openHeadendStore } from '../../../../host/store/headend/headend-store.ts';
import { SimulatedClock } from '../../simulated-clock.ts';

export const DECEMBER = startOfPeriod('2026-12');

/** A ledger of its own, and who makes invoices from it, on 1 December 2026. */
export class BillingFixture {
  readonly directory: string;
  readonly store: HeadendStore;
  readonly writer: GroupWriter;
  readonly invoices: InvoiceDesk;
  readonly clock = new SimulatedClock(DECEMBER * 1000);

  static async open(rules: readonly TaxRule[] = []): Promise<BillingFixture> {
    const directory = await mkdtemp(join(tmpdir(), 'tollcast-billing-'));
    return new BillingFixture(directory, await openHeadendStore(directory), rules);
  }

  private constructor(directory: string, store: HeadendStore, rules: readonly TaxRule[]) {
    this.directory = directory;
    this.store = store;
    this.writer = new GroupWriter(headendDatabase(directory));
    this.invoices = new InvoiceDesk(store, this.writer, this.clock, rules);
  }

  post(...entries: readonly LedgerEntry[]): Promise<void> {
    return this.writer.commit(entries.flatMap(postChanges));
  }

  closeMonth(period: LedgerPeriod): Promise<void> {
    return this.writer.commit([closeChange(period, DECEMBER)]);
  }

  async close(): Promise<void> {
    await this.writer.close();
    await this.store.destroy();
    await rm(this.directory, { recursive: true });
  }
}
