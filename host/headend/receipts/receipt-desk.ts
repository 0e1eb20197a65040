import type { FastifyBaseLogger } from 'fastify';
import { decodeCardId, formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import { signAcknowledgement } from '../../../apdu/decode-module/money/acknowledgement.ts';
import { openReceipt, type Receipt } from '../../../apdu/decode-module/money/receipt.ts';
import { ForgedError } from '../../../apdu/decode-module/signed-message.ts';
import { TollcastError } from '../../../apdu/errors.ts';
import { RECEIPT } from '../../../apdu/layout/money.ts';
import { equalTags, toHex } from '../../../apdu/octets.ts';
import type { Clock } from '../../clock/clock.ts';
import { makeProblem, type Problem } from '../../contract/answers/problem.ts';
import { splitReceipts } from '../../contract/receipts/receipt-list.ts';
import { isNextReceipt } from '../../issuer/orders/receipts.ts';
import type { GroupWriter, StoreChange } from '../../store/group-writer.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import { postChanges } from '../ledger/ledger-rows.ts';
import { CardTurns } from './card-turns.ts';
import { entryOfReceipt } from './receipt-ledger.ts';
import { receiptChange, type Suspicion, suspicionChange } from './receipt-rows.ts';

/** What a delivery is answered: an acknowledgement for the card, 32 octets, or a problem. */
export type ReceiptReply = { readonly acknowledgement: Uint8Array } | { readonly problem: Problem };

/** Where receipts are that came another way, as by file. */
export interface ReceiptArchive {
  /** @param cardId 8 octets. @returns the whole receipt; undefined when it is not there either. */
  find(cardId: Uint8Array, number: number): Promise<Uint8Array | undefined>;
  /** A soft module has shown two histories: it is given nothing any more. */
  withdraw(cardId: Uint8Array): Promise<void>;
}

export interface ReceiptDeskOptions {
  readonly store: HeadendStore;
  readonly writer: GroupWriter;
  /** 16 octets. */
  readonly receiptMaster: Uint8Array;
  /** u24: whose cards deliver here. */
  readonly issuer: number;
  readonly archive?: ReceiptArchive | undefined;
  readonly clock: Clock;
  readonly log: Pick<FastifyBaseLogger, 'error'>;
}

/** Cards that are known without a look into the database. */
const MAX_KNOWN = 20_000;

/** All receipts of a card that are on disk, and its keys. */
interface KnownCard {
  readonly id: Uint8Array;
  readonly hex: string;
  readonly receiptKey: Uint8Array;
  readonly acknowledgementKey: Uint8Array;
  last: number;
  amount: bigint;
  torn: bigint;
  currency: number | undefined;
}

/** A receipt whose tag was found right. */
interface OpenedReceipt {
  readonly receipt: Receipt;
  readonly octets: Uint8Array;
}

/**
 * Takes the receipts of cards: checks tag and order, keeps them with what the ledger posts, in one transaction, and
 * acknowledges what is on disk. The same receipts again get the same acknowledgement.
 */
export class ReceiptDesk {
  readonly #options: ReceiptDeskOptions;
  readonly #cards = new Map<string, Promise<KnownCard>>();
  /** Deliveries of one card come one after the other. */
  readonly #turns = new CardTurns();

  constructor(options: ReceiptDeskOptions) {
    this.#options = options;
  }

  /** @param octets receipts as the card signed them, one behind the other; all of one card, and in their order. */
  async take(octets: Uint8Array): Promise<ReceiptReply> {
    let cardId: Uint8Array;
    let list: Uint8Array[];
    try {
      list = splitReceipts(octets);
      cardId = list[0]!.slice(RECEIPT.at.cardId, RECEIPT.at.cardId + 8);
      if (decodeCardId(cardId).issuer !== this.#options.issuer) return refuse('foreign-issuer');
    } catch (error) {
      if (error instanceof TollcastError) return refuse('malformed');
      throw error;
    }
    const keys = this.#keysOf(cardId);
    const opened: OpenedReceipt[] = [];
    try {
      for (const one of list) opened.push({ receipt: openReceipt(one, keys.receiptKey), octets: one });
    } catch (error) {
      if (error instanceof ForgedError) return refuse('wrong-signature');
      if (error instanceof TollcastError) return refuse('malformed');
      throw error;
    }
    return this.#turns.run(keys.hex, async () => this.#keep(await this.#find(cardId, keys), opened));
  }

  async #keep(card: KnownCard, opened: readonly OpenedReceipt[]): Promise<ReceiptReply> {
    const now = Math.floor(this.#options.clock.now() / 1000);
    const changes: StoreChange[] = [];
    let { last, amount, torn, currency } = card;
    const add = ({ receipt, octets }: OpenedReceipt): boolean => {
      currency ??= receipt.currency;
      if (!isNextReceipt(receipt, { cardId: card.id, currency }, { last, amount, torn })) return false;
      changes.push(receiptChange(card.hex, receipt, now, octets));
      changes.push(...postChanges(entryOfReceipt(card.hex, receipt, now)));
      last = receipt.number;
      amount += receipt.amount;
      torn += receipt.torn;
      return true;
    };
    for (const one of opened) {
      const { number } = one.receipt;
      if (number <= last) {
        if (!(await this.#isKept(card, one, opened))) return this.#disagree(card, one, now);
        continue;
      }
      for (let missing = last + 1; missing < number; missing++) {
        const found = await this.#fetch(card, missing);
        if (found === undefined) return this.#miss(card, one, last, now);
        if (!add(found)) return this.#disagree(card, found, now);
      }
      if (!add(one)) return this.#disagree(card, one, now);
    }
    if (changes.length > 0 && !(await this.#commit(card, changes))) return refuse('unavailable');
    Object.assign(card, { last, amount, torn, currency });
    return { acknowledgement: signAcknowledgement(card.id, last, card.acknowledgementKey) };
  }

  /** Whether this very receipt is kept, or came just before in the same delivery. */
  async #isKept(card: KnownCard, one: OpenedReceipt, delivery: readonly OpenedReceipt[]): Promise<boolean> {
    const { number } = one.receipt;
    if (number === 0) return false;
    const before = delivery.find((other) => other.receipt.number === number);
    if (before !== undefined && before !== one) return equalTags(before.octets, one.octets);
    const row = await this.#options.store
      .selectFrom('receipt')
      .select('message')
      .where('cardId', '=', card.hex)
      .where('number', '=', number)
      .executeTakeFirst();
    return row !== undefined && equalTags(row.message, one.octets);
  }

  async #fetch(card: KnownCard, number: number): Promise<OpenedReceipt | undefined> {
    const octets = await this.#options.archive?.find(card.id, number);
    return octets && { receipt: openReceipt(octets, card.receiptKey), octets };
  }

  async #miss(card: KnownCard, { receipt, octets }: OpenedReceipt, last: number, now: number): Promise<ReceiptReply> {
    const reason = `receipt ${receipt.number} came, and ${last} is the last one here`;
    const missing = { kind: 'missing receipts', number: receipt.number, reason, message: octets } as const;
    if (!(await this.#suspect(card, missing, now))) return refuse('unavailable');
    return refuse('receipts-missing', { particulars: reason, last: card.last });
  }

  async #disagree(card: KnownCard, { receipt, octets }: OpenedReceipt, now: number): Promise<ReceiptReply> {
    const reason = `receipt ${receipt.number} contradicts what the card signed before`;
    const found = { kind: 'runs backwards', number: receipt.number, reason, message: octets } as const;
    const isKept = await this.#suspect(card, found, now);
    if (decodeCardId(card.id).moduleClass === 'soft') await this.#options.archive?.withdraw(card.id);
    if (!isKept) return refuse('unavailable');
    const particulars = `number ${receipt.number} of card ${formatCardId(card.id)}`;
    return refuse('receipts-disagree', { particulars });
  }

  #suspect(card: KnownCard, suspicion: Omit<Suspicion, 'cardId'>, now: number): Promise<boolean> {
    return this.#commit(card, [suspicionChange({ ...suspicion, cardId: card.hex }, now)]);
  }

  /** @returns whether it is on disk; the reason why not is logged. */
  async #commit(card: KnownCard, changes: readonly StoreChange[]): Promise<boolean> {
    const { writer, log } = this.#options;
    try {
      await writer.commit(changes);
      return true;
    } catch (error) {
      // What is on disk is read anew.
      this.#cards.delete(card.hex);
      log.error({ card: card.hex, err: error }, 'what a card delivered could not be kept');
      return false;
    }
  }

  #keysOf(cardId: Uint8Array): Pick<KnownCard, 'hex' | 'receiptKey' | 'acknowledgementKey'> {
    const { receiptMaster } = this.#options;
    return {
      hex: toHex(cardId),
      receiptKey: deriveCardKey(receiptMaster, 'receipt', cardId),
      acknowledgementKey: deriveCardKey(receiptMaster, 'acknowledgement', cardId),
    };
  }

  #find(id: Uint8Array, keys: Pick<KnownCard, 'hex' | 'receiptKey' | 'acknowledgementKey'>): Promise<KnownCard> {
    const known = this.#cards.get(keys.hex);
    if (known !== undefined) return known;
    for (const oldest of this.#cards.keys()) {
      if (this.#cards.size < MAX_KNOWN) break;
      this.#cards.delete(oldest);
    }
    const found = this.#read(id, keys);
    this.#cards.set(keys.hex, found);
    found.catch(() => this.#cards.delete(keys.hex));
    return found;
  }

  async #read(id: Uint8Array, keys: Pick<KnownCard, 'hex' | 'receiptKey' | 'acknowledgementKey'>): Promise<KnownCard> {
    const row = await this.#options.store
      .selectFrom('receipt')
      .select(({ fn }) => [
        fn.max<number | null>('number').as('number'),
        fn.sum<bigint | null>('amount').as('amount'),
        fn.sum<bigint | null>('torn').as('torn'),
        fn.max<number | null>('currency').as('currency'),
      ])
      .where('cardId', '=', keys.hex)
      .executeTakeFirstOrThrow();
    const { number, amount, torn, currency } = row;
    return {
      id,
      ...keys,
      last: number ?? 0,
      amount: amount ?? 0n,
      torn: torn ?? 0n,
      currency: currency ?? undefined,
    };
  }
}

function refuse(
  code: Parameters<typeof makeProblem>[0],
  told: Parameters<typeof makeProblem>[1] = {},
): { readonly problem: Problem } {
  return { problem: makeProblem(code, told) };
}
