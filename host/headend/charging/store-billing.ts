import type { GroupWriter } from '../../store/group-writer.ts';
import type { Bill } from './bill.ts';
import type { BillingPort } from './billing-port.ts';
import { billChanges } from './charging-rows.ts';

/** Keeps bills in the head-end's own database, and enters them in its ledger. */
export class StoreBilling implements BillingPort {
  readonly #writer: GroupWriter;

  constructor(writer: GroupWriter) {
    this.#writer = writer;
  }

  forward(bill: Bill, isClosed: boolean): Promise<void> {
    return this.#writer.commit(billChanges(bill, isClosed));
  }
}
