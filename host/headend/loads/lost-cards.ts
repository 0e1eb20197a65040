import type { Selectable, Transaction } from 'kysely';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { InputError, TollcastError } from '../../../apdu/errors.ts';
import { fromHex, toHex } from '../../../apdu/octets.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Accounts, IssuedCard } from '../../issuer/cards/accounts.ts';
import { requireTrusted } from '../../issuer/cards/issued-card.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import type { HeadendTables } from '../../store/headend/tables/headend-tables.ts';
import type { LostCardTable } from '../../store/headend/tables/lost-card-tables.ts';
import { readBalances } from '../ledger/read-ledger.ts';
import { computeHeldBack, readLastEnd } from '../receipts/held-back.ts';

export type LostCard = Selectable<LostCardTable>;

export interface LostCardsOptions {
  readonly store: HeadendStore;
  readonly accounts: Accounts;
  /** Enters what a card has proved in the ledger. */
  readonly post: (cardId: Uint8Array) => Promise<void>;
  readonly clock: Clock;
}

/** Seconds that receipts may be late, after the last purchase has ended. */
const MAX_LATE = 3600;

/**
 * Cards that were lost for good. When its purchases have ended, what is left of one becomes a load that its new card
 * fetches: the balance by the ledger, less what may have been spent without a receipt. It is decided once.
 */
export class LostCards {
  readonly #options: LostCardsOptions;

  constructor(options: LostCardsOptions) {
    this.#options = options;
  }

  /**
   * Whether one card may have the place of another; it changes nothing.
   * @param cardId of the lost one, 8 octets, as `newCardId`.
   * @throws TollcastError `LOST_CARD` when another has its place, or the new one was lost itself.
   * @throws InputError when they are not two cards of the issuer with one currency.
   * @throws IssuerError `WITHDRAWN` when the new one is.
   */
  async requireReplaceable(cardId: Uint8Array, newCardId: Uint8Array): Promise<void> {
    const { store } = this.#options;
    const lost = await this.#requireIssued(cardId);
    const found = await this.#requireIssued(newCardId);
    const known = await readLostCard(store, toHex(cardId));
    if (known?.newCardId === toHex(newCardId)) return;
    if (known !== undefined) {
      throw new TollcastError('LOST_CARD', `${nameCard(known.newCardId)} has the place of that card already; name it`);
    }
    if (toHex(cardId) === toHex(newCardId)) throw new InputError('a card is not replaced by itself; name the new one');
    await requireNotLost(store, newCardId);
    requireTrusted(found);
    if (lost.currency === found.currency) return;
    throw new InputError('the purses of the two cards are in different currencies; choose another new card');
  }

  /**
   * Gives a card that was lost its successor; the same again changes nothing. What was paid at the desk and not fetched
   * yet is the new one's at once. The lost one is to be blocked before, so that it has got its last key.
   * @throws as {@link requireReplaceable}.
   */
  async report(cardId: Uint8Array, newCardId: Uint8Array, operator: string): Promise<LostCard> {
    await this.requireReplaceable(cardId, newCardId);
    const { store, accounts } = this.#options;
    const card = toHex(cardId);
    const now = this.#now();
    const endsAt = await readLastEnd(store, card);
    await store.transaction().execute(async (transaction) => {
      const undecided = { decidedAt: null, balance: null, held: null, moved: null };
      await transaction
        .insertInto('lostCard')
        .values({
          cardId: card,
          newCardId: toHex(newCardId),
          reportedAt: now,
          reportedBy: operator,
          endsAt,
          dueAt: Math.max(now, endsAt) + MAX_LATE,
          ...undecided,
        })
        .onConflict((conflict) => conflict.column('cardId').doNothing())
        .execute();
      await passOn(transaction, card, toHex(newCardId));
    });
    await accounts.withdraw(cardId);
    return (await readLostCard(store, card))!;
  }

  /** Sees to it that the issuer gives them nothing, whatever died when they were reported. */
  async withdrawAll(): Promise<void> {
    const { store, accounts } = this.#options;
    for (const { cardId } of await store.selectFrom('lostCard').select('cardId').execute()) {
      await accounts.withdraw(fromHex(cardId));
    }
  }

  /**
   * Decides what is due.
   * @param newCardId in hexadecimal; all when left out.
   * @returns seconds since 1970 from when on there is more; undefined when nothing is to come.
   */
  async settle(newCardId?: string): Promise<number | undefined> {
    const rows = await this.#options.store
      .selectFrom('lostCard')
      .selectAll()
      .where('decidedAt', 'is', null)
      .$if(newCardId !== undefined, (query) => query.where('newCardId', '=', newCardId!))
      .orderBy('dueAt')
      .execute();
    const now = this.#now();
    for (const row of rows) if (row.dueAt <= now) await this.#decide(row, now);
    return rows.find(({ dueAt }) => dueAt > now)?.dueAt;
  }

  /** Currency of a card's purse, ISO 4217 number. */
  async findCurrency(cardId: Uint8Array): Promise<number | undefined> {
    return (await this.#options.accounts.card(cardId))?.currency;
  }

  /** All of them, with what was decided so far. */
  async list(): Promise<readonly LostCard[]> {
    await this.settle();
    return this.#options.store.selectFrom('lostCard').selectAll().orderBy('reportedAt').orderBy('cardId').execute();
  }

  async #decide({ cardId }: LostCard, now: number): Promise<void> {
    const { store, accounts, post } = this.#options;
    const card = await accounts.card(fromHex(cardId));
    if (card === undefined) return;
    await post(card.cardId);
    const { currency } = card;
    const held = await computeHeldBack(store, cardId, currency);
    const entered = await readBalances(store, `card:${nameCard(cardId)}`);
    const balance = -(entered.find((one) => one.currency === currency)?.amount ?? 0n);
    const moved = balance > held ? balance - held : 0n;
    await store.transaction().execute(async (transaction) => {
      const [row] = await transaction
        .updateTable('lostCard')
        .set({ decidedAt: now, balance, held, moved })
        .where('cardId', '=', cardId)
        .where('decidedAt', 'is', null)
        .returning(['newCardId', 'reportedBy'])
        .execute();
      if (row === undefined || moved === 0n) return;
      await transaction
        .insertInto('credit')
        .values({
          kind: 'moved',
          name: null,
          codeHash: null,
          cardId: row.newCardId,
          fromCard: cardId,
          amount: moved,
          currency,
          madeAt: now,
          madeBy: row.reportedBy,
          claimKey: null,
          loadId: null,
          claimedAt: null,
          isSettled: false,
        })
        .execute();
    });
  }

  async #requireIssued(cardId: Uint8Array): Promise<IssuedCard> {
    const card = await this.#options.accounts.card(cardId);
    if (card !== undefined) return card;
    throw new InputError(`card ${formatCardId(cardId)} is not in the accounts of the issuer; check its id`);
  }

  #now(): number {
    return Math.floor(this.#options.clock.now() / 1000);
  }
}

/** @param cardId 8 octets. @throws TollcastError `LOST_CARD`. */
export async function requireNotLost(store: HeadendStore, cardId: Uint8Array): Promise<void> {
  const lost = await readLostCard(store, toHex(cardId));
  if (lost === undefined) return;
  throw new TollcastError(
    'LOST_CARD',
    `card ${formatCardId(cardId)} was lost for good, and card ${nameCard(lost.newCardId)} has its place; use that one`,
  );
}

function readLostCard(store: HeadendStore, cardId: string): Promise<LostCard | undefined> {
  return store.selectFrom('lostCard').selectAll().where('cardId', '=', cardId).executeTakeFirst();
}

/** What a card may still fetch, and what is still to come to it, goes to its successor. Lines of credit do not. */
async function passOn(transaction: Transaction<HeadendTables>, card: string, newCard: string): Promise<void> {
  await transaction
    .updateTable('credit')
    .set({ cardId: newCard })
    .where('cardId', '=', card)
    .where('kind', 'in', ['cash', 'moved'])
    .where('loadId', 'is', null)
    .execute();
  await transaction
    .updateTable('lostCard')
    .set({ newCardId: newCard })
    .where('newCardId', '=', card)
    .where('decidedAt', 'is', null)
    .execute();
}

function nameCard(cardId: string): string {
  return formatCardId(fromHex(cardId));
}
