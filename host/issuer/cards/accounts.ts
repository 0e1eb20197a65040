import { type Selectable, sql, type Updateable } from 'kysely';
import { encodeCardId, formatCardId, type ModuleClass } from '../../../apdu/decode-module/card-id.ts';
import { type IssuerStore, openIssuerStore } from '../../store/issuer-store.ts';
import type { CardTable, LoadOrderTable } from '../../store/issuer-tables.ts';
import { StoreError } from '../../store/store-error.ts';
import { IssuerError } from '../issuer-error.ts';
import { AccountTables } from './account-tables.ts';

/** The account of a card. */
export type IssuedCard = Selectable<CardTable>;

/** An order that was signed: nothing of it but `proved` ever changes. */
export type PlacedOrder = Omit<Selectable<LoadOrderTable>, 'cardId'>;

/** What an order does: it loads, or it sets the credit limit. */
export type OrderKind = PlacedOrder['kind'];

/** All receipts of a card together; amounts in micro-units. */
export interface ReceiptTotals {
  /** Number of the last receipt, 0 when there is none; the numbers have no gaps. */
  readonly last: number;
  readonly amount: bigint;
  readonly torn: bigint;
}

/**
 * The issuer's accounts of its cards: what it made, what it signed, what the cards proved. A change is on disk when its
 * promise resolves.
 */
export class Accounts implements AsyncDisposable {
  /** u24, the first three octets of every card id. */
  readonly issuer: number;
  readonly #store: IssuerStore;

  private constructor(store: IssuerStore, issuer: number) {
    this.#store = store;
    this.issuer = issuer;
  }

  /**
   * Makes empty accounts.
   * @param issuer u24.
   * @throws StoreError `STORE_EXISTS` when there are accounts in this directory.
   * @throws OutOfRangeError when the issuer is not a u24.
   */
  static async create(directory: string, issuer: number): Promise<void> {
    // This checks the range.
    encodeCardId({ issuer, moduleClass: 'card', serial: 0 });
    await using store = await openIssuerStore(directory, { create: true });
    await store.transaction().execute(async (transaction) => {
      const present = await transaction.selectFrom('issuer').select('id').executeTakeFirst();
      if (present !== undefined) {
        throw new StoreError('STORE_EXISTS', `there are accounts in ${directory} already; choose another directory`);
      }
      await transaction.insertInto('issuer').values({ id: issuer }).execute();
    });
  }

  /** @throws StoreError `NO_STORE` when there are none, and those of {@link openIssuerStore}. */
  static async open(directory: string): Promise<Accounts> {
    const store = await openIssuerStore(directory);
    const issuer = await store.selectFrom('issuer').select('id').executeTakeFirst();
    if (issuer !== undefined) return new Accounts(store, issuer.id);
    await store.destroy();
    throw new StoreError('NO_STORE', `the store in ${directory} holds no accounts; put your copy of them back`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async close(): Promise<void> {
    await this.#store.destroy();
  }

  /**
   * Runs `work` as one change: all of it is on disk when this resolves, or nothing of it. Other processes wait.
   * @param work must use the accounts that it is given. A call to these accounts waits until the work is done.
   */
  async transaction<T>(work: (accounts: Accounts) => Promise<T>): Promise<T> {
    if (this.#store.isTransaction) return work(this);
    return this.#store.transaction().execute((store) => work(new Accounts(store, this.issuer)));
  }

  /**
   * Opens the account of a new card. No card id is given twice, not even to the chip that had it: without its purse and
   * its number windows, old messages under its keys would be taken again.
   * @param card.serial u32; when left out, the present second, or the next that is free in both classes if that is
   *   higher, as messages name a card by its serial. So accounts that were put back from a copy go on above the serials
   *   that were given since.
   * @param now seconds since 1970.
   * @returns its card id, 8 octets.
   * @throws IssuerError `SERIAL_TAKEN`.
   */
  addCard(
    {
      moduleClass,
      currency,
      maximumBalance,
      ...wanted
    }: { moduleClass: ModuleClass; serial?: number | undefined; currency: number; maximumBalance: bigint },
    now: number,
  ): Promise<Uint8Array> {
    return this.transaction(async (accounts) => {
      const serial = wanted.serial ?? Math.max((await accounts.#lastSerial()) + 1, now);
      const cardId = encodeCardId({ issuer: this.issuer, moduleClass, serial });
      if ((await accounts.card(cardId)) !== undefined) {
        throw new IssuerError(
          'SERIAL_TAKEN',
          `card ${formatCardId(cardId)} was issued before; leave --serial out and the next free one is taken`,
        );
      }
      await accounts.#store
        .insertInto('card')
        .values({
          cardId,
          moduleClass,
          serial,
          currency,
          maximumBalance,
          issuedAt: now,
          keyed: false,
          uplinkMaster: 'uplink',
        })
        .execute();
      return cardId;
    });
  }

  card(cardId: Uint8Array): Promise<IssuedCard | undefined> {
    return this.#store.selectFrom('card').selectAll().where('cardId', '=', cardId).executeTakeFirst();
  }

  /** The ids of the cards whose uplink key comes from this master. */
  async cardsWithUplinkOf(master: IssuedCard['uplinkMaster']): Promise<readonly Uint8Array[]> {
    const cards = await this.#store.selectFrom('card').select('cardId').where('uplinkMaster', '=', master).execute();
    return cards.map(({ cardId }) => cardId);
  }

  /** Records the counters that a card has proved. */
  recordCounters(cardId: Uint8Array, counters: Pick<IssuedCard, 'spent' | 'torn' | 'receipts'>): Promise<void> {
    return this.#updateCard(cardId, counters);
  }

  /** Records that a card is about to be given its keys. */
  recordKeyed(cardId: Uint8Array): Promise<void> {
    return this.#updateCard(cardId, { keyed: true });
  }

  /** @param limits value of DGI 0002. */
  recordLimits(cardId: Uint8Array, limits: Uint8Array): Promise<void> {
    return this.#updateCard(cardId, { limits });
  }

  /**
   * Records the key pair of a card.
   * @param publicKey 65 octets; none while it is not known which pair the card has.
   * @param now seconds since 1970.
   */
  async recordPair(cardId: Uint8Array, publicKey: Uint8Array, now: number): Promise<void> {
    const pair = { publicKey, madeAt: now };
    await this.#store
      .insertInto('cardPair')
      .values({ cardId, ...pair })
      .onConflict((conflict) => conflict.column('cardId').doUpdateSet(pair))
      .execute();
  }

  /** Marks a card that is given nothing any more. */
  withdraw(cardId: Uint8Array): Promise<void> {
    return this.#updateCard(cardId, { withdrawn: true });
  }

  lastOrder(cardId: Uint8Array): Promise<PlacedOrder | undefined> {
    return this.#store
      .selectFrom('loadOrder')
      .select(['kind', 'number', 'loadId', 'asked', 'refund', 'signedAt', 'proved'])
      .where('cardId', '=', cardId)
      .orderBy('number', 'desc')
      .limit(1)
      .executeTakeFirst();
  }

  /** The order that has this number. */
  order(cardId: Uint8Array, number: number): Promise<PlacedOrder | undefined> {
    return this.#store
      .selectFrom('loadOrder')
      .select(['kind', 'number', 'loadId', 'asked', 'refund', 'signedAt', 'proved'])
      .where('cardId', '=', cardId)
      .where('number', '=', number)
      .executeTakeFirst();
  }

  /** The order that has this load id. */
  orderOfLoad(cardId: Uint8Array, loadId: Uint8Array): Promise<PlacedOrder | undefined> {
    return this.#store
      .selectFrom('loadOrder')
      .select(['kind', 'number', 'loadId', 'asked', 'refund', 'signedAt', 'proved'])
      .where('cardId', '=', cardId)
      .where('loadId', '=', loadId)
      .executeTakeFirst();
  }

  /** What the loads up to this number come to, refunds included, in micro-units. */
  async orderedUpTo(cardId: Uint8Array, number: number): Promise<bigint> {
    const { sum } = await this.#store
      .selectFrom('loadOrder')
      .select(({ fn }) => fn.sum<bigint | null>((of) => of('asked', '+', of.ref('refund'))).as('sum'))
      .where('cardId', '=', cardId)
      .where('number', '<=', number)
      .where('kind', '=', 'load')
      .executeTakeFirstOrThrow();
    return sum ?? 0n;
  }

  /** The credit limit that the orders up to this number left, in micro-units. */
  async creditLimitAt(cardId: Uint8Array, number: number): Promise<bigint> {
    const order = await this.#store
      .selectFrom('loadOrder')
      .select('asked')
      .where('cardId', '=', cardId)
      .where('number', '<=', number)
      .where('kind', '=', 'credit limit')
      .orderBy('number', 'desc')
      .limit(1)
      .executeTakeFirst();
    return order?.asked ?? 0n;
  }

  /** What was refunded by orders signed at `since` or later, in micro-units. */
  async refundedSince(cardId: Uint8Array, since: number): Promise<bigint> {
    const { sum } = await this.#store
      .selectFrom('loadOrder')
      .select(({ fn }) => fn.sum<bigint | null>('refund').as('sum'))
      .where('cardId', '=', cardId)
      .where('signedAt', '>=', since)
      .executeTakeFirstOrThrow();
    return sum ?? 0n;
  }

  /** The primary key sees to it that no number has two orders. */
  async addOrder(cardId: Uint8Array, order: Omit<PlacedOrder, 'proved'>): Promise<void> {
    await this.#store
      .insertInto('loadOrder')
      .values({ cardId, ...order })
      .execute();
  }

  /** Records that a card has proved an order. */
  async recordProof(cardId: Uint8Array, number: number): Promise<void> {
    await this.#store
      .updateTable('loadOrder')
      .set({ proved: true })
      .where('cardId', '=', cardId)
      .where('number', '=', number)
      .execute();
  }

  /** @param octets the whole receipt. */
  async addReceipt(
    cardId: Uint8Array,
    { number, amount, torn }: { number: number; amount: bigint; torn: bigint },
    octets: Uint8Array,
  ): Promise<void> {
    await this.#store.insertInto('receipt').values({ cardId, number, amount, torn, octets }).execute();
  }

  /** The octets of a receipt that was collected. */
  async receipt(cardId: Uint8Array, number: number): Promise<Uint8Array | undefined> {
    const row = await this.#store
      .selectFrom('receipt')
      .select('octets')
      .where('cardId', '=', cardId)
      .where('number', '=', number)
      .executeTakeFirst();
    return row?.octets;
  }

  async receiptTotals(cardId: Uint8Array): Promise<ReceiptTotals> {
    const { number, amount, torn } = await this.#store
      .selectFrom('receipt')
      .select(({ fn }) => [
        fn.max<number | null>('number').as('number'),
        fn.sum<bigint | null>('amount').as('amount'),
        fn.sum<bigint | null>('torn').as('torn'),
      ])
      .where('cardId', '=', cardId)
      .executeTakeFirstOrThrow();
    return { last: number ?? 0, amount: amount ?? 0n, torn: torn ?? 0n };
  }

  /** How many loads a card has proved; an order that sets the credit limit is not one. */
  async countLoads(cardId: Uint8Array): Promise<number> {
    const { count } = await this.#store
      .selectFrom('loadOrder')
      .select(({ fn }) => fn.countAll<bigint>().as('count'))
      .where('cardId', '=', cardId)
      .where('kind', '=', 'load')
      .where('proved', '=', true)
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  /**
   * Writes a copy as it stands at one moment; others may write meanwhile.
   * @param path of a file that is not there or empty. What is written is not synchronised with the disk yet.
   */
  async copyTo(path: string): Promise<void> {
    await sql`vacuum into ${path}`.execute(this.#store);
  }

  /**
   * Lets the grants of every card go on from here, or from where they are if that is higher.
   * @returns the highest number that there is now, or 0.
   */
  async raiseGrantNumbers(to: number): Promise<number> {
    await this.#store.updateTable('grantNumber').set({ number: to }).where('number', '<', to).execute();
    const { number } = await this.#store
      .selectFrom('grantNumber')
      .select(({ fn }) => fn.max<number | null>('number').as('number'))
      .executeTakeFirstOrThrow();
    return number ?? 0;
  }

  /** Whether SQLite finds the whole file in order. */
  async isSound(): Promise<boolean> {
    const { rows } = await sql<{ integrityCheck: string }>`pragma integrity_check(1)`.execute(this.#store);
    return rows[0]?.integrityCheck === 'ok';
  }

  /** Reads what {@link AccountTables} gives page by page. Other processes can write between two pages. */
  get tables(): AccountTables {
    return new AccountTables(this.#store);
  }

  async #lastSerial(): Promise<number> {
    const last = await this.#store
      .selectFrom('card')
      .select(({ fn }) => fn.max<number | null>('serial').as('serial'))
      .executeTakeFirstOrThrow();
    return last.serial ?? 0;
  }

  async #updateCard(cardId: Uint8Array, change: Updateable<CardTable>): Promise<void> {
    await this.#store.updateTable('card').set(change).where('cardId', '=', cardId).execute();
  }
}
