import { toHex } from '../../../../apdu/octets.ts';
import type { HeadendStore } from '../../../store/headend/headend-store.ts';
import type { BillTable, RequestLogTable } from '../../../store/headend/tables/request-tables.ts';

export type SoldRequest = RequestLogTable;
export type SoldBill = BillTable;

/** What was sold, as the database has it; the newest first. */
export class SoldLog {
  readonly #store: HeadendStore;

  constructor(store: HeadendStore) {
    this.#store = store;
  }

  /** What cards asked for and got. @param cardId of one card alone, 8 octets. */
  requests(limit: number, cardId?: Uint8Array): Promise<readonly SoldRequest[]> {
    const rows = this.#store.selectFrom('requestLog').selectAll().orderBy('id', 'desc').limit(limit);
    return (cardId === undefined ? rows : rows.where('cardId', '=', toHex(cardId))).execute();
  }

  /** What joins came to. */
  bills(limit: number): Promise<readonly SoldBill[]> {
    return this.#store.selectFrom('bill').selectAll().orderBy('entryId', 'desc').limit(limit).execute();
  }
}
