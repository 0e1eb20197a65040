import { InputError, TollcastError } from '../../../apdu/errors.ts';
import type { Clock } from '../../clock/clock.ts';
import type { GroupWriter } from '../../store/group-writer.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import type { LedgerAccount } from '../ledger/ledger-account.ts';
import type { LedgerEntry } from '../ledger/ledger-entry.ts';
import { type LedgerPeriod, nextPeriod, parsePeriod, periodOf, startOfPeriod } from '../ledger/ledger-period.ts';
import { closeChange, postChanges } from '../ledger/ledger-rows.ts';
import { makeCorrectionEntry } from '../ledger/make-entries.ts';
import {
  type KeptLedgerEntry,
  type LedgerBalance,
  type LedgerQuery,
  readBalances,
  readEntries,
  readEntry,
  readLastClosed,
} from '../ledger/read-ledger.ts';
import { type Explanation, explainEntry } from './explain-entry.ts';
import type { LogBiller } from './log-biller.ts';
import type { Subscriptions } from './subscriptions.ts';

/** Entries that go to disk together. */
const BATCH = 500;

/** What operators ask of the ledger and enter in it. */
export class BillingDesk {
  readonly #store: HeadendStore;
  readonly #writer: GroupWriter;
  readonly #clock: Clock;
  readonly #subscriptions: Pick<Subscriptions, 'readFees'>;
  readonly #logBiller: Pick<LogBiller, 'billDue'>;
  readonly #onClosed: (end: number) => Promise<void>;

  constructor(
    store: HeadendStore,
    writer: GroupWriter,
    clock: Clock,
    sources: {
      readonly subscriptions: Pick<Subscriptions, 'readFees'>;
      readonly logBiller: Pick<LogBiller, 'billDue'>;
      /** Called when a month is closed. @param end of it, seconds since 1970. */
      readonly onClosed?: (end: number) => Promise<void>;
    },
  ) {
    this.#subscriptions = sources.subscriptions;
    this.#logBiller = sources.logBiller;
    this.#onClosed = sources.onClosed ?? (async () => undefined);
    this.#store = store;
    this.#writer = writer;
    this.#clock = clock;
  }

  /** Seconds since 1970. */
  get now(): number {
    return Math.floor(this.#clock.now() / 1000);
  }

  entries(query: LedgerQuery): Promise<readonly KeptLedgerEntry[]> {
    return readEntries(this.#store, query);
  }

  balances(account?: LedgerAccount): Promise<readonly LedgerBalance[]> {
    return readBalances(this.#store, account);
  }

  /** The last month that is closed. */
  lastClosed(): Promise<string | undefined> {
    return readLastClosed(this.#store);
  }

  /** Follows an entry to what it came from. @throws TollcastError `NO_LEDGER_ENTRY`. */
  async explain(id: number): Promise<Explanation> {
    return explainEntry(this.#store, id);
  }

  /**
   * Enters what an operator says; the same again changes nothing.
   * @throws TollcastError `LEDGER_ENTRY_DIFFERS` when another event was entered under its name.
   */
  async enter(entry: LedgerEntry): Promise<KeptLedgerEntry> {
    if (entry.lines.length === 0) throw new InputError('an amount of 0 is nothing; enter one above it');
    await this.#writer.commit(postChanges(entry));
    const [kept] = await readEntries(this.#store, { kind: entry.kind, source: entry.source });
    if (kept === undefined) throw new Error('an entry that was written is not there');
    if (!hasSameLines(kept, entry)) {
      throw new TollcastError(
        'LEDGER_ENTRY_DIFFERS',
        `${entry.kind} ${entry.source} stands in the ledger with other accounts or another amount (entry ${kept.id}); ` +
          'choose another name, or correct that entry',
      );
    }
    return kept;
  }

  /** Takes an entry back, once. @throws TollcastError `NO_LEDGER_ENTRY`. */
  async correct(id: number, note: string): Promise<KeptLedgerEntry> {
    const { lines } = await readEntry(this.#store, id);
    return this.enter(makeCorrectionEntry(id, lines, { at: this.now, note }));
  }

  /**
   * Closes a month and all before it; before that, it enters what was sold by the log, and what subscribers owe for the
   * periods that ended there.
   * @throws TollcastError `PERIOD_RUNS` while it is not over.
   */
  async close(period: LedgerPeriod): Promise<void> {
    const present = periodOf(this.now);
    if (period >= present) {
      throw new TollcastError(
        'PERIOD_RUNS',
        `${period} is not over; the last month that can be closed is before ${present}`,
      );
    }
    await this.#logBiller.billDue();
    const closed = await this.lastClosed();
    const from = closed === undefined ? 0 : startOfPeriod(nextPeriod(parsePeriod(closed)));
    const fees = await this.#subscriptions.readFees(from, startOfPeriod(nextPeriod(period)));
    for (let at = 0; at < fees.length; at += BATCH) {
      await this.#writer.commit(fees.slice(at, at + BATCH).flatMap(postChanges));
    }
    await this.#writer.commit([closeChange(period, this.now)]);
    await this.#onClosed(startOfPeriod(nextPeriod(period)));
  }
}

function hasSameLines(kept: KeptLedgerEntry, { lines }: LedgerEntry): boolean {
  return (
    kept.lines.length === lines.length &&
    lines.every(({ debit, credit, currency, amount }, index) => {
      const line = kept.lines[index]!;
      return line.debit === debit && line.credit === credit && line.currency === currency && line.amount === amount;
    })
  );
}
