import { deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import { TollcastError } from '../../../apdu/errors.ts';
import { toHex } from '../../../apdu/octets.ts';
import type { Clock } from '../../clock/clock.ts';
import { Accounts } from '../../issuer/cards/accounts.ts';
import { keepReceipts } from '../../issuer/orders/receipts.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import { StoreError } from '../../store/store-error.ts';
import type { ReceiptArchive, ReceiptDesk } from './receipt-desk.ts';

/** ms between two looks at what came another way. */
const INTERVAL = 30_000;
/** Receipts that are handed over at a time. */
const BATCH = 32;

export interface IssuerAccountsOptions {
  readonly accounts: Accounts;
  readonly store: HeadendStore;
  /** 16 octets. */
  readonly receiptMaster: Uint8Array;
  /** Told what could not be handed over. */
  readonly onFailure: (card: string, error: unknown) => void;
}

/**
 * The accounts of the issuer, where the head-end has them: receipts that came by file or reader are taken from there,
 * and those that came over the API are put there.
 */
export class IssuerAccounts implements ReceiptArchive {
  readonly #options: IssuerAccountsOptions;

  constructor(options: IssuerAccountsOptions) {
    this.#options = options;
  }

  find(cardId: Uint8Array, number: number): Promise<Uint8Array | undefined> {
    return this.#options.accounts.receipt(cardId, number);
  }

  withdraw(cardId: Uint8Array): Promise<void> {
    return this.#options.accounts.withdraw(cardId);
  }

  /** Has both sides the same until `signal` aborts. */
  async run(desk: ReceiptDesk, clock: Clock, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.sync(desk);
      try {
        await clock.sleep(INTERVAL, signal);
      } catch {
        return;
      }
    }
  }

  /** Takes from the accounts what is missing here, and puts there what is missing there. */
  async sync(desk: ReceiptDesk): Promise<void> {
    const { accounts, store, onFailure } = this.#options;
    const rows = await store
      .selectFrom('receipt')
      .select(({ fn }) => ['cardId', fn.max<number>('number').as('last')])
      .groupBy('cardId')
      .execute();
    const here = new Map(rows.map(({ cardId, last }) => [cardId, last]));
    for await (const { cardId, receiptsKept } of accounts.tables.cards()) {
      const card = toHex(cardId);
      const last = here.get(card) ?? 0;
      try {
        if (receiptsKept > last) await this.#take(cardId, last, receiptsKept, desk);
        if (receiptsKept < last) await this.put(cardId);
      } catch (error) {
        if (!(error instanceof TollcastError)) throw error;
        onFailure(card, error);
      }
    }
  }

  async #take(cardId: Uint8Array, after: number, last: number, desk: ReceiptDesk): Promise<void> {
    for (let from = after + 1; from <= last; from += BATCH) {
      const batch: Uint8Array[] = [];
      for (let number = from; number <= Math.min(last, from + BATCH - 1); number++) {
        const octets = await this.find(cardId, number);
        if (octets !== undefined) batch.push(octets);
      }
      const reply = await desk.take(new Uint8Array(Buffer.concat(batch)));
      if ('problem' in reply) throw new TollcastError('RECEIPTS_DISAGREE', reply.problem.detail);
    }
  }

  /** Puts what is missing there of one card. */
  async put(cardId: Uint8Array): Promise<void> {
    const { accounts, store, receiptMaster } = this.#options;
    const card = await accounts.card(cardId);
    if (card === undefined) return;
    const receiptKey = deriveCardKey(receiptMaster, 'receipt', cardId);
    for (let { last } = await accounts.receiptTotals(cardId); ;) {
      const rows = await store
        .selectFrom('receipt')
        .select(['number', 'message'])
        .where('cardId', '=', toHex(cardId))
        .where('number', '>', last)
        .orderBy('number')
        .limit(BATCH)
        .execute();
      if (rows.length === 0) return;
      const octets = rows.map(({ message }) => message);
      await keepReceipts(accounts, card, octets, receiptKey, { mayRepeat: true });
      last = rows.at(-1)!.number;
    }
  }
}

/** Opens the accounts of an issuer store. @returns undefined when it holds nothing but masters. */
export async function openAccounts(directory: string): Promise<Accounts | undefined> {
  try {
    return await Accounts.open(directory);
  } catch (error) {
    if (error instanceof StoreError && error.code === 'NO_STORE') return undefined;
    throw error;
  }
}
