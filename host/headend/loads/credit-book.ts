import { createHash, randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { InputError, TollcastError } from '../../../apdu/errors.ts';
import { LOAD_ID_LENGTH } from '../../../apdu/layout/money.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Money } from '../../money/amount.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import type { Claim, Claimant, ClaimRefusal, PaymentPort } from './payment-port.ts';

/** Letters and digits that nobody mixes up (Crockford's base 32). */
const LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** Characters of a code: 80 bit. */
const CODE_LENGTH = 16;
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

/** What operators were paid: at the cash desk for one card, or for vouchers. The database has hashes of codes alone. */
export class CreditBook implements PaymentPort {
  readonly #store: HeadendStore;
  readonly #clock: Clock;

  constructor(store: HeadendStore, clock: Clock) {
    this.#store = store;
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
   * Makes vouchers of one amount.
   * @returns their codes, which are told this once.
   * @throws InputError when there are none, or too many.
   */
  async makeVouchers(count: number, { amount, currency }: Money, operator: string): Promise<string[]> {
    if (!Number.isInteger(count) || count < 1 || count > MAX_VOUCHERS) {
      throw new InputError(`${MAX_VOUCHERS} vouchers are made at a time at most; name 1 or more`);
    }
    const codes = Array.from({ length: count }, makeCode);
    await this.#store.transaction().execute(async (transaction) => {
      for (const code of codes) {
        await transaction
          .insertInto('credit')
          .values({
            ...this.#made(operator),
            name: null,
            kind: 'voucher',
            cardId: null,
            codeHash: hashCode(code),
            amount,
            currency: currency.number,
          })
          .execute();
      }
    });
    return codes.map(writeCode);
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
          : rows.where('codeHash', '=', hashCode(voucher));
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
    const none = { claimKey: null, loadId: null, claimedAt: null, isSettled: false } as const;
    return { madeAt: this.#now(), madeBy: operator, ...none };
  }

  #now(): number {
    return Math.floor(this.#clock.now() / 1000);
  }
}

/** 32 letters divide the 256 values of an octet evenly. */
function makeCode(): string {
  return Array.from(randomBytes(CODE_LENGTH), (octet) => LETTERS[octet % LETTERS.length]).join('');
}

/** As it is printed: ABCD-EFGH-JKMN-PQRS. */
function writeCode(code: string): string {
  return code.replace(/(.{4})(?=.)/g, '$1-');
}

/** Case, blanks and strokes do not count, and letters that look like a digit are one. */
function hashCode(typed: string): Uint8Array {
  const code = typed.toUpperCase().replace(/[\s-]/g, '').replaceAll('O', '0').replace(/[IL]/g, '1');
  return new Uint8Array(createHash('sha256').update(`tollcast voucher 1\0${code}`).digest());
}
