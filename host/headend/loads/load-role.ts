import { TollcastError } from '../../../apdu/errors.ts';
import type { Clock } from '../../clock/clock.ts';
import type { GroupWriter } from '../../store/group-writer.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import type { ReceiptRole } from '../receipts/receipt-role.ts';
import { CreditBook } from './credit-book.ts';
import { LoadDesk, type LoadDeskOptions } from './load-desk.ts';
import { LoadPoster } from './load-poster.ts';
import { LostCards } from './lost-cards.ts';

export interface LoadRoleOptions extends Pick<LoadDeskOptions, 'openMaster'> {
  readonly store: HeadendStore;
  readonly writer: GroupWriter;
  /** Undefined where no receipts are taken. */
  readonly receipts: ReceiptRole | undefined;
  /** Whether cards are loaded over the API. */
  readonly isConfigured: boolean;
  readonly clock: Clock;
}

/** What loads cards over the API, where that is configured, and enters in the ledger what was loaded. */
export class LoadRole {
  /** Undefined where cards are not loaded over the API. */
  readonly desk: LoadDesk | undefined;
  readonly credits: CreditBook | undefined;
  readonly lost: LostCards | undefined;
  readonly #poster: LoadPoster | undefined;

  /**
   * Enters what was loaded since the last time.
   * @throws TollcastError `CONFIG` when loads are configured, and the issuer store has no accounts or masters for it.
   */
  static async open(options: LoadRoleOptions): Promise<LoadRole> {
    if (options.isConfigured) await options.openMaster('load');
    const role = new LoadRole(options);
    await role.postAll();
    await role.lost?.withdrawAll();
    return role;
  }

  private constructor({ store, writer, receipts, isConfigured, openMaster, clock }: LoadRoleOptions) {
    const accounts = receipts?.accounts;
    const poster = accounts && new LoadPoster(accounts, store, writer);
    this.#poster = poster;
    if (!isConfigured) return;
    if (accounts === undefined || poster === undefined || receipts === undefined) {
      throw new TollcastError(
        'CONFIG',
        'loads: true needs the accounts of the issuer, and the masters receipt and load, in its store; name that one',
      );
    }
    this.credits = new CreditBook(store, () => openMaster('load'), clock);
    const lost = new LostCards({ store, accounts, post: (cardId) => poster.post(cardId), clock });
    this.lost = lost;
    this.desk = new LoadDesk({
      accounts,
      isBlocked: (card) => isBlocked(store, card),
      settleLost: (card) => lost.settle(card),
      openMaster,
      payment: this.credits,
      receipts: receipts.desk,
      settle: (cardId) => receipts.settle(cardId),
      findTorn: (cardId) => receipts.findTorn(cardId),
      post: (cardId) => poster.post(cardId),
      clock,
    });
  }

  /** Enters what was loaded by whatever way. */
  async postAll(): Promise<void> {
    await this.#poster?.postAll();
  }
}

/** @param card in hexadecimal. */
async function isBlocked(store: HeadendStore, card: string): Promise<boolean> {
  const blocked = store.selectFrom('blockedCard').select('cardId').where('cardId', '=', card);
  const lost = store.selectFrom('lostCard').select('cardId').where('cardId', '=', card);
  return (await blocked.union(lost).executeTakeFirst()) !== undefined;
}
