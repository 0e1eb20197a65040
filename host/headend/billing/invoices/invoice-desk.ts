import { setImmediate as turn } from 'node:timers/promises';
import { sql } from 'kysely';
import { InputError, TollcastError } from '../../../../apdu/errors.ts';
import type { Clock } from '../../../clock/clock.ts';
import { formatMoney, type Money } from '../../../money/amount.ts';
import { currencyByNumber } from '../../../money/currency.ts';
import type { GroupWriter } from '../../../store/group-writer.ts';
import type { HeadendStore } from '../../../store/headend/headend-store.ts';
import { parseDebtor } from '../../ledger/ledger-account.ts';
import type { LedgerPeriod } from '../../ledger/ledger-period.ts';
import { postChanges } from '../../ledger/ledger-rows.ts';
import { makeRefundEntry } from '../../ledger/make-entries.ts';
import { readLastClosed } from '../../ledger/read-ledger.ts';
import { readDisputeStates } from '../disputes/read-disputes.ts';
import { CardUsers } from '../users/card-users.ts';
import { issueChanges, nameInvoice } from './invoice-rows.ts';
import { type InvoiceDocument, makeInvoice } from './invoice.ts';
import { CREDIT_NOTE, type Payers, readPayerItems, readPayers } from './read-items.ts';
import type { TaxRule } from './tax-rule.ts';

/** An invoice or a credit note, as it was issued. */
export interface IssuedInvoice {
  readonly number: number;
  /** Seconds since 1970. */
  readonly issuedAt: number;
  /** Of a credit note: the number of its invoice. */
  readonly corrects: number | null;
  readonly document: InvoiceDocument;
}

/** Which invoices. */
export interface InvoiceQuery {
  readonly account?: string;
  readonly period?: string;
  /** Numbers above this one. */
  readonly after?: number;
  readonly limit: number;
}

/** What of an invoice is taken back. */
export interface CreditNote extends Money {
  /** As its operator calls it: issued once. */
  readonly name: string;
  readonly service: number;
  readonly note: string;
}

/** Payers whose invoices are made between two turns of the loop: nobody else waits for long. */
const AT_ONCE = 250;

/** Issues invoices and credit notes. */
export class InvoiceDesk {
  readonly #store: HeadendStore;
  readonly #writer: GroupWriter;
  readonly #clock: Clock;
  readonly #rules: readonly TaxRule[];
  #turn: Promise<unknown> = Promise.resolve();

  constructor(store: HeadendStore, writer: GroupWriter, clock: Clock, rules: readonly TaxRule[]) {
    this.#store = store;
    this.#writer = writer;
    this.#clock = clock;
    this.#rules = rules;
  }

  /**
   * Issues the invoices of a month; who has one already gets no other.
   * @returns how many were issued now.
   * @throws TollcastError `PERIOD_OPEN` when the month is not closed.
   */
  issue(period: LedgerPeriod): Promise<number> {
    return this.#inTurn(async () => {
      const closed = await readLastClosed(this.#store);
      if (closed === undefined || closed < period) {
        throw new TollcastError('PERIOD_OPEN', `${period} is not closed; close it first, as its invoices stay`);
      }
      const users = await CardUsers.read(this.#store);
      const payers = [...(await readPayers(this.#store, users))];
      const before = await this.#count();
      for (let at = 0; at < payers.length; at += AT_ONCE) {
        await this.#issueSome(period, new Map(payers.slice(at, at + AT_ONCE)), users);
        await turn();
      }
      return (await this.#count()) - before;
    });
  }

  async list({ account, period, after, limit }: InvoiceQuery): Promise<readonly IssuedInvoice[]> {
    let rows = this.#store.selectFrom('invoice').selectAll().orderBy('number').limit(limit);
    if (account !== undefined) rows = rows.where('account', '=', account);
    if (period !== undefined) rows = rows.where('period', '=', period);
    if (after !== undefined) rows = rows.where('number', '>', after);
    return this.#markDisputed((await rows.execute()).map(readRow));
  }

  /** @throws TollcastError `NO_INVOICE`. */
  async find(number: number): Promise<IssuedInvoice> {
    const row = await this.#store.selectFrom('invoice').selectAll().where('number', '=', number).executeTakeFirst();
    if (row === undefined) {
      throw new TollcastError('NO_INVOICE', `there is no invoice ${number}; list invoices to find its number`);
    }
    const [invoice] = await this.#markDisputed([readRow(row)]);
    return invoice!;
  }

  /**
   * Takes something of an invoice back: what was paid for a service, with the taxes that it contains.
   * @throws TollcastError `NO_INVOICE`. @throws InputError when it is more than the invoice has of the service.
   */
  credit(number: number, { name, service, amount, currency, note }: CreditNote): Promise<IssuedInvoice> {
    return this.#inTurn(async () => {
      const { document, corrects } = await this.find(number);
      if (corrects !== null) throw new InputError(`${number} is a credit note; name the invoice`);
      const row = await this.#store
        .selectFrom('invoice')
        .selectAll()
        .where('number', '=', number)
        .executeTakeFirstOrThrow();
      if (currency.number !== row.currency) {
        throw new InputError(`invoice ${number} is in ${currencyByNumber(row.currency).code}; write the amount in it`);
      }
      const issued = `${CREDIT_NOTE}${number} ${name}`;
      const known = await this.#store.selectFrom('invoice').selectAll().where('name', '=', issued).executeTakeFirst();
      if (known !== undefined) {
        if (known.payable + known.carried === -amount) return readRow(known);
        throw new TollcastError(
          'LEDGER_ENTRY_DIFFERS',
          `credit note ${name} was issued with another amount; choose another name`,
        );
      }
      const at = Math.floor(this.#clock.now() / 1000);
      const { account, period } = document;
      const left = await this.#leftOf(number, service, currency.number);
      if (amount === 0n || amount > left) {
        throw new InputError(
          `invoice ${number} has ${formatMoney(left, currency)} of service ${service}; take back no more`,
        );
      }
      const rules = document.taxes
        .filter((tax) => tax.service === service)
        .map(({ rule, rate }) => ({ name: rule, rate }));
      const refund = makeRefundEntry({
        source: issued,
        at,
        note,
        currency: currency.number,
        amount,
        from: `refunds:${service}`,
        to: parseDebtor(account),
      });
      const items = [{ entry: 0, kind: 'refund', at, note, service, amount: -amount }];
      const { payable, carried, ...rest } = makeInvoice({ account, period, currency, items, carried: 0n }, rules);
      // A credit note is for the whole amount: nothing of it is carried.
      const whole = { ...rest, payable: payable + carried, carried: 0n };
      const text = formatMoney(-amount, currency);
      const zero = formatMoney(0n, currency);
      const said = { ...whole, document: { ...whole.document, payable: text, carriedTo: zero } };
      const changes = issueChanges(said, { name: issued, currency: currency.number, at, corrects: number });
      await this.#writer.commit([...postChanges(refund), ...changes]);
      return readRow(
        await this.#store.selectFrom('invoice').selectAll().where('name', '=', issued).executeTakeFirstOrThrow(),
      );
    });
  }

  async #issueSome(period: LedgerPeriod, payers: Payers, users: CardUsers): Promise<void> {
    const at = Math.floor(this.#clock.now() / 1000);
    const accounts = JSON.stringify([...payers.keys()]);
    const last = await this.#store
      .selectFrom('invoice')
      .select(['account', 'currency', 'carried'])
      .where('account', 'in', sql<string>`(select value from json_each(${accounts}))`)
      .where('corrects', 'is', null)
      .orderBy('number')
      .execute();
    const carriedOf = new Map(last.map(({ account, currency, carried }) => [`${account} ${currency}`, carried]));
    const issued = await this.#store
      .selectFrom('invoice')
      .select('name')
      .where('period', '=', period)
      .where('account', 'in', sql<string>`(select value from json_each(${accounts}))`)
      .execute();
    const names = new Set(issued.map(({ name }) => name));
    const changes = (await readPayerItems(this.#store, period, payers, users)).flatMap(
      ({ account, currency, items }) => {
        const name = nameInvoice(account, period, currency);
        if (names.has(name)) return [];
        const carried = carriedOf.get(`${account} ${currency}`) ?? 0n;
        const invoice = makeInvoice(
          { account, period, currency: currencyByNumber(currency), items, carried },
          this.#rules,
        );
        return issueChanges(invoice, { name, currency, at });
      },
    );
    await this.#writer.commit(changes);
  }

  /** An invoice stays as it was issued; which of its lines are disputed is told beside them. */
  async #markDisputed(invoices: readonly IssuedInvoice[]): Promise<IssuedInvoice[]> {
    const entries = invoices.flatMap(({ document }) => document.lines.map(({ entry }) => entry));
    const states = await readDisputeStates(this.#store, entries);
    return invoices.map((invoice) => ({
      ...invoice,
      document: {
        ...invoice.document,
        lines: invoice.document.lines.map((line) => {
          const dispute = states.get(line.entry);
          return dispute === undefined ? line : { ...line, dispute };
        }),
      },
    }));
  }

  /** Micro-units of a service that an invoice has and no credit note took back. */
  async #leftOf(number: number, service: number, currency: number): Promise<bigint> {
    const { document } = await this.find(number);
    const entries = document.lines.filter((line) => line.service === service && line.card === null);
    const ids = JSON.stringify(entries.map(({ entry }) => entry));
    const { rows } = await sql<{ sum: bigint | null }>`
      select sum(case when debit = ${document.account} then amount else -amount end) as sum from ledger_posting
      where entry_id in (select value from json_each(${ids})) and currency = ${currency}
        and (debit = ${document.account} or credit = ${document.account})`.execute(this.#store);
    const back = await this.#store
      .selectFrom('ledgerPosting as posting')
      .innerJoin('ledgerEntry as entry', 'entry.id', 'posting.entryId')
      .where('debit', '=', `refunds:${service}`)
      .where('source', 'like', `${CREDIT_NOTE}${number} %`)
      .select(({ fn }) => fn.sum<bigint | null>('amount').as('sum'))
      .executeTakeFirst();
    return (rows[0]?.sum ?? 0n) - (back?.sum ?? 0n);
  }

  async #count(): Promise<number> {
    const row = await this.#store
      .selectFrom('invoice')
      .select(({ fn }) => fn.max<number | null>('number').as('number'))
      .executeTakeFirst();
    return row?.number ?? 0;
  }

  /** Numbers and what is carried depend on the invoice before: they are issued one after the other. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

function readRow({
  number,
  issuedAt,
  corrects,
  document,
}: {
  readonly number: number;
  readonly issuedAt: number;
  readonly corrects: number | null;
  readonly document: string;
}): IssuedInvoice {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It was written by issueChanges.
  return { number, issuedAt, corrects, document: JSON.parse(document) as InvoiceDocument };
}
