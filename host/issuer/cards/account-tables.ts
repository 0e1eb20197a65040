import type { Selectable } from 'kysely';
import { toHex } from '../../../apdu/octets.ts';
import type { IssuerStore } from '../../store/issuer-store.ts';
import type { CardTable, LoadOrderTable, ReceiptTable } from '../../store/issuer-tables.ts';

/** What the accounts know of a card without seeing it. Amounts in micro-units. */
export interface CardOverview extends Selectable<CardTable> {
  /** Sum of the loads that the card proved, with what they gave back. */
  readonly loaded: bigint;
  /** Loads that it proved; an order that sets the credit limit is not one. */
  readonly loads: number;
  /** Whether the last order is not proved yet. */
  readonly hasOpenOrder: boolean;
  readonly creditLimit: bigint;
  /** Receipts that were collected, and their sum. */
  readonly receiptsKept: number;
  readonly receiptsAmount: bigint;
}

/** The highest numbers of a card. */
export interface LastNumbers {
  readonly order: number;
  readonly receipt: number;
  readonly grant: number;
  /** Whether it has an account here; a grant needs none. */
  readonly isIssued: boolean;
}

/** Rows that are read at a time, so that a large store takes no more memory than a small one. */
const PAGE = 500;

/** Where a page begins: after this row. */
interface PageStart {
  readonly cardId: Uint8Array;
  readonly number: number;
}

/** Reads page after page, each from the last row of the one before. */
async function* readPages<R extends { cardId: Uint8Array; number?: number }>(
  readPage: (after: PageStart) => Promise<readonly R[]>,
): AsyncGenerator<R> {
  let after: PageStart = { cardId: new Uint8Array(0), number: 0 };
  for (;;) {
    const rows = await readPage(after);
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    after = { cardId: last.cardId, number: last.number ?? 0 };
  }
}

/** The accounts of all cards, for lists. Each page is one consistent reading. */
export class AccountTables {
  readonly #store: IssuerStore;

  constructor(store: IssuerStore) {
    this.#store = store;
  }

  /** All cards in the order of their ids. */
  async *cards(): AsyncGenerator<CardOverview> {
    for await (const row of readPages((after) => this.#cardsAfter(after))) {
      const { ordered, count, open, limit, kept, collected, ...card } = row;
      yield {
        ...card,
        loaded: ordered ?? 0n,
        loads: Number(count ?? 0n),
        hasOpenOrder: (open ?? 0n) > 0n,
        creditLimit: limit ?? 0n,
        receiptsKept: Number(kept ?? 0n),
        receiptsAmount: collected ?? 0n,
      };
    }
  }

  /** All orders, by card id and number. */
  orders(): AsyncGenerator<Selectable<LoadOrderTable>> {
    return readPages((after) =>
      this.#store
        .selectFrom('loadOrder')
        .selectAll()
        .where((of) => of(of.refTuple('cardId', 'number'), '>', of.tuple(after.cardId, after.number)))
        .orderBy('cardId')
        .orderBy('number')
        .limit(PAGE)
        .execute(),
    );
  }

  /** All receipts that were collected, by card id and number. */
  receipts(): AsyncGenerator<Selectable<ReceiptTable>> {
    return readPages((after) =>
      this.#store
        .selectFrom('receipt')
        .selectAll()
        .where((of) => of(of.refTuple('cardId', 'number'), '>', of.tuple(after.cardId, after.number)))
        .orderBy('cardId')
        .orderBy('number')
        .limit(PAGE)
        .execute(),
    );
  }

  /** How many rows each table has. */
  async count(): Promise<{ cards: number; orders: number; receipts: number }> {
    const count = async (table: 'card' | 'loadOrder' | 'receipt'): Promise<number> => {
      const query = this.#store.selectFrom(table).select(({ fn }) => fn.countAll<bigint>().as('rows'));
      return Number((await query.executeTakeFirstOrThrow()).rows);
    };
    return { cards: await count('card'), orders: await count('loadOrder'), receipts: await count('receipt') };
  }

  /** The highest numbers of each card, by its id in hexadecimal. */
  async lastNumbers(): Promise<ReadonlyMap<string, LastNumbers>> {
    const found = new Map<string, LastNumbers>();
    const add = (cardId: Uint8Array, known: Partial<LastNumbers>): void => {
      const id = toHex(cardId);
      found.set(id, { ...(found.get(id) ?? { order: 0, receipt: 0, grant: 0, isIssued: false }), ...known });
    };
    const last = (table: 'loadOrder' | 'receipt' | 'grantNumber') =>
      this.#store
        .selectFrom(table)
        .select(({ fn }) => ['cardId', fn.max('number').as('number')])
        .groupBy('cardId')
        .execute();
    for (const { cardId } of await this.#store.selectFrom('card').select('cardId').execute()) {
      add(cardId, { isIssued: true });
    }
    for (const { cardId, number } of await last('loadOrder')) add(cardId, { order: number });
    for (const { cardId, number } of await last('receipt')) add(cardId, { receipt: number });
    for (const { cardId, number } of await last('grantNumber')) add(cardId, { grant: number });
    return found;
  }

  #cardsAfter({ cardId }: PageStart) {
    return this.#store
      .selectFrom('card')
      .selectAll('card')
      .select((of) => [
        of
          .selectFrom('loadOrder')
          .select(({ fn }) => fn.sum<bigint | null>((sum) => sum('asked', '+', sum.ref('refund'))).as('sum'))
          .whereRef('loadOrder.cardId', '=', 'card.cardId')
          .where('kind', '=', 'load')
          .where('proved', '=', true)
          .as('ordered'),
        of
          .selectFrom('loadOrder')
          .select(({ fn }) => fn.countAll<bigint>().as('sum'))
          .whereRef('loadOrder.cardId', '=', 'card.cardId')
          .where('kind', '=', 'load')
          .where('proved', '=', true)
          .as('count'),
        of
          .selectFrom('loadOrder')
          .select(({ fn }) => fn.countAll<bigint>().as('sum'))
          .whereRef('loadOrder.cardId', '=', 'card.cardId')
          .where('proved', '=', false)
          .as('open'),
        of
          .selectFrom('loadOrder')
          .select('asked')
          .whereRef('loadOrder.cardId', '=', 'card.cardId')
          .where('kind', '=', 'credit limit')
          .orderBy('loadOrder.number', 'desc')
          .limit(1)
          .as('limit'),
        of
          .selectFrom('receipt')
          .select(({ fn }) => fn.countAll<bigint>().as('sum'))
          .whereRef('receipt.cardId', '=', 'card.cardId')
          .as('kept'),
        of
          .selectFrom('receipt')
          .select(({ fn }) => fn.sum<bigint | null>('amount').as('sum'))
          .whereRef('receipt.cardId', '=', 'card.cardId')
          .as('collected'),
      ])
      .where('card.cardId', '>', cardId)
      .orderBy('card.cardId')
      .limit(PAGE)
      .execute();
  }
}
