import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Transaction } from 'kysely';
import { InputError, TollcastError } from '../../../apdu/errors.ts';
import { LOAD_ID_LENGTH } from '../../../apdu/layout/money.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Money } from '../../money/amount.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import type { VoucherBatchTable } from '../../store/headend/tables/credit-tables.ts';
import type { HeadendTables } from '../../store/headend/tables/headend-tables.ts';
import type { Claim, Claimant, ClaimRefusal, PaymentPort } from './payment-port.ts';
import { deriveVoucherCodes, hashVoucherCode } from './voucher-code.ts';

/** Vouchers that are made at a time. */
const MAX_VOUCHERS = 10_000;

/** What an operator grants to one card. */
export interface Grant {
  /** What the operator calls it. */
  readonly name: string;
  /** A load that was paid at the desk, or a line of credit. */
  readonly kind: 'cash' | 'credit limit';
  /** 8 octets in hexadecimal. */
  readonly cardId: string;
  readonly money: Money;
}

/** Vouchers that are made together. */
export interface VoucherBatch {
  /** What the operator calls it. */
  readonly name: string;
  readonly count: number;
  /** Of each. */
  readonly money: Money;
}

/** Octets. */
const SALT_LENGTH = 16;

/** What operators were paid: at the cash desk for one card, or for vouchers. The database has hashes of codes alone. */
export class CreditBook implements PaymentPort {
  readonly #store: HeadendStore;
  readonly #openMaster: () => Promise<Uint8Array>;
  readonly #clock: Clock;

  /** @param openMaster opens what codes are derived from, 16 octets: who has the database alone finds none. */
  constructor(store: HeadendStore, openMaster: () => Promise<Uint8Array>, clock: Clock) {
    this.#store = store;
    this.#openMaster = openMaster;
    this.#clock = clock;
  }

  /**
   * Lets a card fetch a load that was paid at the desk, or a line of credit; the same again changes nothing.
   * @returns its number.
   * @throws InputError when the amount is 0.
   * @throws TollcastError `CREDIT_DIFFERS` when another one was granted under its name.
   */
  async grant({ name, kind, cardId, money: { amount, currency } }: Grant, operator: string): Promise<number> {
    if (kind === 'cash' && amount === 0n) throw new InputError('an amount of 0 is nothing; enter one above it');
    const granted = { name, kind, cardId, amount, currency: currency.number } as const;
    await this.#store
      .insertInto('credit')
      .values({ ...this.#made(operator), ...granted, codeHash: null })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute();
    const kept = await this.#store
      .selectFrom('credit')
      .select(['id', 'name', 'kind', 'cardId', 'amount', 'currency'])
      .where('name', '=', name)
      .executeTakeFirstOrThrow();
    if (!isDeepStrictEqual(kept, { id: kept.id, ...granted })) {
      throw new TollcastError(
        'CREDIT_DIFFERS',
        `${name} was granted with another amount, kind or card (number ${kept.id}); choose another name`,
      );
    }
    return kept.id;
  }

  /**
   * Makes vouchers of one amount; the same again makes no others, and tells the same codes.
   * @throws InputError when there are none, too many, or they are worth nothing.
   * @throws TollcastError `CREDIT_DIFFERS` when other vouchers were made under this name.
   */
  async makeVouchers({ name, count, money }: VoucherBatch, operator: string): Promise<readonly string[]> {
    if (!Number.isInteger(count) || count < 1 || count > MAX_VOUCHERS) {
      throw new InputError(`${MAX_VOUCHERS} vouchers are made at a time at most; name 1 or more`);
    }
    if (money.amount === 0n) throw new InputError('an amount of 0 is nothing; enter one above it');
    const master = await this.#openMaster();
    const asked = { name, count, amount: money.amount, currency: money.currency.number };
    return this.#store.transaction().execute(async (transaction) => {
      const kept = await transaction.selectFrom('voucherBatch').selectAll().where('name', '=', name).executeTakeFirst();
      if (kept !== undefined) return findVouchers(transaction, kept, asked, master);
      const salt = new Uint8Array(randomBytes(SALT_LENGTH));
      await transaction
        .insertInto('voucherBatch')
        .values({ ...asked, salt, madeAt: this.#now() })
        .execute();
      const { amount, currency } = asked;
      const codes = deriveVoucherCodes(master, salt, count);
      const voucher = { ...this.#made(operator), kind: 'voucher', name: null, cardId: null, amount, currency } as const;
      for (const code of codes) {
        await transaction
          .insertInto('credit')
          .values({ ...voucher, codeHash: hashVoucherCode(code) })
          .execute();
      }
      return codes;
    });
  }

  claim(claimant: Claimant): Promise<Claim | ClaimRefusal> {
    const { cardId, currency, key, voucher } = claimant;
    return this.#store.transaction().execute(async (transaction) => {
      const rows = transaction.selectFrom('credit').selectAll().orderBy('id').limit(1);
      const wanted =
        voucher === undefined
          ? rows
              .where('cardId', '=', cardId)
              .where('kind', '!=', 'voucher')
              .where((of) => of.or([of('isSettled', '=', false), of('claimKey', '=', key)]))
              // The same key claims the same, though there is another by now.
              .clearOrderBy()
              .orderBy((of) => of.case().when('claimKey', '=', key).then(0).else(1).end())
              .orderBy('id')
          : rows.where('codeHash', '=', hashVoucherCode(voucher));
      const credit = await wanted.executeTakeFirst();
      if (credit === undefined) return voucher === undefined ? 'nothing-paid' : 'wrong-voucher';
      // Who has not the card need not know that the code was a good one.
      if (credit.cardId !== null && credit.cardId !== cardId) return 'wrong-voucher';
      if (credit.currency !== currency) return 'wrong-currency';
      const claim = {
        key: credit.claimKey ?? key,
        loadId: credit.loadId ?? new Uint8Array(randomBytes(LOAD_ID_LENGTH)),
      };
      if (credit.loadId === null) {
        await transaction
          .updateTable('credit')
          .set({ cardId, claimKey: claim.key, loadId: claim.loadId, claimedAt: this.#now() })
          .where('id', '=', credit.id)
          .execute();
      }
      const { id, kind, amount } = credit;
      return { id, kind: kind === 'credit limit' ? kind : 'load', amount, currency, ...claim };
    });
  }

  async settle({ id }: Pick<Claim, 'id'>): Promise<void> {
    await this.#store.updateTable('credit').set({ isSettled: true }).where('id', '=', id).execute();
  }

  #made(operator: string) {
    const none = { fromCard: null, claimKey: null, loadId: null, claimedAt: null, isSettled: false } as const;
    return { madeAt: this.#now(), madeBy: operator, ...none };
  }

  #now(): number {
    return Math.floor(this.#clock.now() / 1000);
  }
}

/** @returns the codes of vouchers that were made before. */
async function findVouchers(
  transaction: Transaction<HeadendTables>,
  { name, salt, ...kept }: VoucherBatchTable,
  asked: Omit<VoucherBatchTable, 'salt' | 'madeAt'>,
  master: Uint8Array,
): Promise<readonly string[]> {
  const { count, amount, currency } = kept;
  if (!isDeepStrictEqual({ name, count, amount, currency }, asked)) {
    throw new TollcastError(
      'CREDIT_DIFFERS',
      `vouchers ${name} were made with another amount or number; choose another name`,
    );
  }
  const codes = deriveVoucherCodes(master, salt, count);
  const found = await transaction
    .selectFrom('credit')
    .select('id')
    .where('codeHash', '=', hashVoucherCode(codes[0]!))
    .executeTakeFirst();
  if (found !== undefined) return codes;
  throw new TollcastError(
    'CREDIT_DIFFERS',
    `vouchers ${name} were made under another master, and their codes cannot be told again; choose another name`,
  );
}
