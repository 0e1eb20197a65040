import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { fromHex, toHex } from '../../../apdu/octets.ts';
import type { Accounts } from '../../issuer/cards/accounts.ts';
import type { GroupWriter, StoreChange } from '../../store/group-writer.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import { postChanges } from '../ledger/ledger-rows.ts';
import { makeLoadEntry, makeMoveEntry, makeRefundEntry } from '../ledger/make-entries.ts';

/** Entries that go to disk together. */
const BATCH = 500;

/**
 * Enters in the ledger what cards have proved to be loaded, by whatever way the order came: from the accounts of the
 * issuer, where each order has its number.
 */
export class LoadPoster {
  readonly #accounts: Accounts;
  readonly #store: HeadendStore;
  readonly #writer: Pick<GroupWriter, 'commit'>;

  constructor(accounts: Accounts, store: HeadendStore, writer: Pick<GroupWriter, 'commit'>) {
    this.#accounts = accounts;
    this.#store = store;
    this.#writer = writer;
  }

  /** Enters the last loads of a card. Those before were entered at their time, or are when all are. */
  async post(cardId: Uint8Array): Promise<void> {
    const card = await this.#accounts.card(cardId);
    const last = await this.#accounts.lastOrder(cardId);
    if (card === undefined || last === undefined) return;
    const changes: StoreChange[] = [];
    const moves = await this.#readMoves(toHex(cardId));
    for (const number of [last.number - 1, last.number]) {
      const order = await this.#accounts.order(cardId, number);
      if (order !== undefined) changes.push(...changesOf(card, order, moves));
    }
    if (changes.length > 0) await this.#writer.commit(changes);
  }

  /** Enters all that is proved, and not entered yet. */
  async postAll(): Promise<void> {
    const currencies = new Map<string, number>();
    let changes: StoreChange[] = [];
    for await (const { cardId, currency } of this.#accounts.tables.cards()) currencies.set(toHex(cardId), currency);
    const moves = await this.#readMoves();
    for await (const order of this.#accounts.tables.orders()) {
      const currency = currencies.get(toHex(order.cardId));
      if (currency !== undefined) changes.push(...changesOf({ cardId: order.cardId, currency }, order, moves));
      if (changes.length < BATCH) continue;
      await this.#writer.commit(changes);
      changes = [];
    }
    if (changes.length > 0) await this.#writer.commit(changes);
  }

  /** Lost cards by the load ids that their balances were moved under. @param cardId of the new card; all when left out. */
  async #readMoves(cardId?: string): Promise<ReadonlyMap<string, string>> {
    const rows = await this.#store
      .selectFrom('credit')
      .select(['loadId', 'fromCard'])
      .where('kind', '=', 'moved')
      .$if(cardId !== undefined, (query) => query.where('cardId', '=', cardId!))
      .execute();
    return new Map(
      rows.flatMap(({ loadId, fromCard }) =>
        loadId === null || fromCard === null ? [] : [[toHex(loadId), formatCardId(fromHex(fromCard))] as const],
      ),
    );
  }
}

/**
 * The entries of an order: a load for money, or of what a lost card had, and what was torn given back. A line of credit
 * moves no money.
 */
function changesOf(
  { cardId, currency }: { readonly cardId: Uint8Array; readonly currency: number },
  order: {
    readonly kind: 'load' | 'credit limit';
    readonly number: number;
    readonly loadId: Uint8Array;
    readonly asked: bigint;
    readonly refund: bigint;
    readonly signedAt: number;
    readonly proved: boolean;
  },
  moves: ReadonlyMap<string, string>,
): StoreChange[] {
  const { kind, number, loadId, asked, refund, signedAt: at, proved } = order;
  if (!proved || kind !== 'load') return [];
  const card = formatCardId(cardId);
  const occasion = { source: `${toHex(cardId)}:${number}`, at, currency };
  const from = moves.get(toHex(loadId));
  const loaded = { ...occasion, amount: asked };
  return [
    ...postChanges(
      from === undefined
        ? makeLoadEntry({ ...loaded, cardId: card, from: 'cash' })
        : makeMoveEntry({ ...loaded, source: from, from, to: card }),
    ),
    ...postChanges(makeRefundEntry({ ...occasion, amount: refund, from: `torn:${card}`, to: `card:${card}` })),
  ];
}
