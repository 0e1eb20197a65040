import { fromHex, toHex } from '../../../apdu/octets.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Accounts } from '../../issuer/cards/accounts.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import type { ReceiptRowTable } from '../../store/headend/tables/receipt-tables.ts';
import { ServiceJournal } from '../meter/service-journal.ts';
import { checkReceipt } from './check-receipt.ts';
import { listFraud, type Suspect } from './fraud-list.ts';
import { IssuerAccounts, openAccounts } from './issuer-accounts.ts';
import { ReceiptDesk, type ReceiptDeskOptions } from './receipt-desk.ts';
import { type ReconciledSpan, Reconciler, type Reconciliation } from './reconciler.ts';

export interface ReceiptRoleOptions extends Omit<ReceiptDeskOptions, 'archive'> {
  /** The issuer store; one that holds nothing but masters will do. */
  readonly directory: string;
}

/** What takes receipts, and the accounts of the issuer where they are here. */
export class ReceiptRole {
  readonly desk: ReceiptDesk;
  readonly accounts: Accounts | undefined;
  readonly #link: IssuerAccounts | undefined;
  readonly #clock: Clock;
  readonly #store: HeadendStore;
  readonly #reconciler: Reconciler;

  /** @throws StoreError as opening the accounts does. */
  static async open(options: ReceiptRoleOptions): Promise<ReceiptRole> {
    return new ReceiptRole(options, await openAccounts(options.directory));
  }

  private constructor(options: ReceiptRoleOptions, accounts: Accounts | undefined) {
    const { store, receiptMaster, log, clock } = options;
    const onFailure = (card: string, error: unknown): void =>
      log.error({ card, err: error }, 'receipts are not in the accounts of the issuer');
    this.accounts = accounts;
    this.#clock = clock;
    this.#store = store;
    this.#reconciler = new Reconciler(store, async (cardId) => accounts && findOrdered(accounts, fromHex(cardId)));
    this.#link = accounts && new IssuerAccounts({ accounts, store, receiptMaster, onFailure });
    this.desk = new ReceiptDesk({ ...options, archive: this.#link });
  }

  /** Has the accounts of the issuer the same until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#link?.run(this.desk, this.#clock, signal);
  }

  async reconcile(span: ReconciledSpan): Promise<Reconciliation> {
    await this.#link?.sync(this.desk);
    return this.#reconciler.reconcile(span);
  }

  /** Has all receipts of a card in the accounts of the issuer, before it orders something for it. */
  async settle(cardId: Uint8Array): Promise<void> {
    await this.#link?.put(cardId);
  }

  /**
   * What a card lost by power cuts, as far as the sender's journal bears it out: only that is given back unasked.
   * @returns micro-units.
   */
  async findTorn(cardId: Uint8Array): Promise<bigint> {
    const rows = await this.#store
      .selectFrom('receipt')
      .selectAll()
      .where('cardId', '=', toHex(cardId))
      .where('torn', '>', 0n)
      .execute();
    let torn = 0n;
    for (const row of rows) {
      const journal = await ServiceJournal.read(this.#store, row.service, ...spanOf(row));
      if (!journal.isEmpty && checkReceipt(row, journal).length === 0) torn += row.torn;
    }
    return torn;
  }

  async listFraud(span: ReconciledSpan): Promise<Suspect[]> {
    return listFraud(this.#store, span, await this.reconcile(span));
  }

  async close(): Promise<void> {
    await this.#link?.sync(this.desk);
    await this.accounts?.close();
  }
}

/** What a card was ordered to load, and has not proved yet. @returns undefined for a card without an account here. */
async function findOrdered(accounts: Accounts, cardId: Uint8Array): Promise<bigint | undefined> {
  if ((await accounts.card(cardId)) === undefined) return undefined;
  const last = await accounts.lastOrder(cardId);
  return last === undefined || last.proved || last.kind !== 'load' ? 0n : last.asked + last.refund;
}

/** Where the journal is asked for a receipt: one without a group is of some time before it came. */
function spanOf({
  timeFrom,
  timeTo,
  takenAt,
}: Pick<ReceiptRowTable, 'timeFrom' | 'timeTo' | 'takenAt'>): [number, number] {
  return timeTo === 0 ? [0, takenAt] : [timeFrom, timeTo];
}
