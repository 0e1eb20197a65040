import type { HeadendStore } from '../../store/headend/headend-store.ts';
import { ServiceJournal } from '../meter/service-journal.ts';
import { findLoadDifferences, type FindOrdered } from './check-loads.ts';
import { checkReceipt, type FoundDifference } from './check-receipt.ts';
import { checkLedger, findLoneEntries, type LedgerDifference } from './receipt-ledger.ts';

/** What is reconciled: receipts whose last group was in [from, to], seconds since 1970. */
export interface ReconciledSpan {
  readonly from: number;
  readonly to: number;
  readonly service?: number | undefined;
  /** 8 octets in hexadecimal. */
  readonly cardId?: string | undefined;
}

/** Something that does not agree. Amounts in micro-units. */
export interface Difference extends Omit<FoundDifference, 'kind'> {
  readonly kind: FoundDifference['kind'] | LedgerDifference | 'loads differ';
  readonly cardId: string;
  /** Of the receipt; undefined where there is none. */
  readonly number: number | undefined;
  readonly service: number | undefined;
  readonly from: number;
  readonly to: number;
  readonly amount: bigint;
}

/** All receipts of a service and currency together. Amounts in micro-units. */
export interface ReconciledTotal {
  readonly service: number;
  readonly currency: number;
  readonly receipts: number;
  readonly octets: bigint;
  readonly amount: bigint;
  readonly torn: bigint;
}

export interface Reconciliation {
  readonly totals: readonly ReconciledTotal[];
  readonly differences: readonly Difference[];
  /** Whether there are more differences than are told. */
  readonly isCut: boolean;
}

/** Rows that are read at a time. */
const PAGE = 5000;
/** Differences that are told. */
const MAX_DIFFERENCES = 10_000;
/** Seconds of the journal that are read ahead. */
const MARGIN = 86_400;

/** Holds records against each other: receipts and loads of cards, the sender's journal, the ledger. */
export class Reconciler {
  readonly #store: HeadendStore;
  readonly #findOrdered: FindOrdered;

  /** @param findOrdered of cards whose accounts are here; of none when left out. */
  constructor(store: HeadendStore, findOrdered: FindOrdered = async () => undefined) {
    this.#store = store;
    this.#findOrdered = findOrdered;
  }

  async reconcile(span: ReconciledSpan): Promise<Reconciliation> {
    const differences: Difference[] = [];
    const totals: ReconciledTotal[] = [];
    for (const service of await this.#services(span)) {
      totals.push(...(await this.#reconcileService(service, span, differences)));
    }
    for (const { at, ...entry } of await findLoneEntries(this.#store, span)) {
      const why = 'the ledger has an entry of a receipt that is not here';
      differences.push({ ...entry, from: at, to: at, kind: 'no such receipt', why });
    }
    if (span.service === undefined) {
      for (const difference of await findLoadDifferences(this.#store, span, this.#findOrdered)) {
        differences.push({ ...difference, kind: 'loads differ' });
      }
    }
    return {
      totals,
      differences: differences.slice(0, MAX_DIFFERENCES),
      isCut: differences.length > MAX_DIFFERENCES,
    };
  }

  async #services({ service, from, to }: ReconciledSpan): Promise<number[]> {
    if (service !== undefined) return [service];
    const rows = await this.#store
      .selectFrom('receipt')
      .select('service')
      .distinct()
      .where((of) => of.or([of('timeTo', '=', 0), of.and([of('timeTo', '>=', from), of('timeTo', '<=', to)])]))
      .orderBy('service')
      .execute();
    return rows.map((row) => row.service);
  }

  async #reconcileService(service: number, span: ReconciledSpan, found: Difference[]): Promise<ReconciledTotal[]> {
    const totals = new Map<number, { -readonly [K in keyof ReconciledTotal]: ReconciledTotal[K] }>();
    let journal: { of: ServiceJournal; from: number; to: number } | undefined;
    let prices: ServiceJournal | undefined;
    const forgotten = await this.#store.selectFrom('sentForgotten').selectAll().executeTakeFirst();
    for await (const page of this.#pages(service, span)) {
      const from = Math.min(...page.map(({ timeFrom }) => timeFrom).filter((time) => time > 0));
      const to = Math.max(...page.map(({ timeTo }) => timeTo));
      if (journal === undefined || from < journal.from || to > journal.to) {
        const read = {
          from: Math.max(0, Number.isFinite(from) ? from : span.from),
          to: Math.max(to, span.from) + MARGIN,
        };
        journal = { of: await ServiceJournal.read(this.#store, service, read.from, read.to), ...read };
      }
      for (const row of page) {
        const { cardId, number, timeFrom, timeTo, amount, torn, currency, octets } = row;
        const place = { cardId, number, service, from: timeFrom, to: timeTo, amount };
        // A receipt without groups has no time.
        if (row.groups === 0) prices ??= await ServiceJournal.readPrices(this.#store, service);
        const held = row.groups === 0 && prices !== undefined ? prices : journal.of;
        const differences = isForgotten(row, forgotten) ? [] : checkReceipt(row, held);
        for (const difference of differences) found.push({ ...place, ...difference });
        const total = totals.get(currency) ?? { service, currency, receipts: 0, octets: 0n, amount: 0n, torn: 0n };
        total.receipts += 1;
        total.octets += octets;
        total.amount += amount;
        total.torn += torn;
        totals.set(currency, total);
      }
      for (const { receipt, kind, why } of await checkLedger(this.#store, page)) {
        const { cardId, number, amount, timeFrom, timeTo } = receipt;
        found.push({ cardId, number, service, from: timeFrom, to: timeTo, amount, kind, why });
      }
    }
    return [...totals.values()];
  }

  /** A receipt without groups has no time: it is of every span. */
  async *#pages(service: number, { from, to, cardId }: ReconciledSpan) {
    let after = { timeTo: -1, cardId: '', number: 0 };
    for (;;) {
      const rows = await this.#store
        .selectFrom('receipt')
        .select([
          'cardId',
          'number',
          'service',
          'octets',
          'duration',
          'groups',
          'timeFrom',
          'timeTo',
          'amount',
          'torn',
          'currency',
          'isTorn',
          'takenAt',
        ])
        .where('service', '=', service)
        .where((of) => of.or([of('timeTo', '=', 0), of.and([of('timeTo', '>=', from), of('timeTo', '<=', to)])]))
        .where((of) =>
          of(of.refTuple('timeTo', 'cardId', 'number'), '>', of.tuple(after.timeTo, after.cardId, after.number)),
        )
        .$if(cardId !== undefined, (query) => query.where('cardId', '=', cardId!))
        .orderBy('timeTo')
        .orderBy('cardId')
        .orderBy('number')
        .limit(PAGE)
        .execute();
      if (rows.length > 0) yield rows;
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE) return;
      after = last;
    }
  }
}

/** Whether what was sent at the time of a receipt was forgotten when the receipt had long been here. */
function isForgotten(
  { timeFrom, timeTo, takenAt }: { readonly timeFrom: number; readonly timeTo: number; readonly takenAt: number },
  forgotten: { readonly before: number; readonly forgottenAt: number } | undefined,
): boolean {
  return forgotten !== undefined && timeTo > 0 && timeFrom < forgotten.before && takenAt < forgotten.forgottenAt;
}
