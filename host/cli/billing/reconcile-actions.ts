import { stringify } from 'csv-stringify/sync';
import { TollcastError } from '../../../apdu/errors.ts';
import { formatMoney } from '../../money/amount.ts';
import { currencyByCode } from '../../money/currency.ts';
import { OperatorClient } from '../headend/operator-client.ts';
import { formatTime } from '../terminal/time.ts';
import { querySpan, type SpanOptions } from './span-option.ts';

interface Total {
  readonly service: number;
  readonly currency: string;
  readonly receipts: number;
  readonly octets: string;
  readonly amount: string;
  readonly torn: string;
}

interface Difference {
  readonly kind: string;
  readonly card: string;
  readonly number: number | null;
  readonly service: number | null;
  readonly from: number;
  readonly to: number;
  /** Micro-units. */
  readonly amount: string;
  readonly why: string;
}

interface Suspect {
  readonly kind: string;
  readonly card: string;
  readonly number: number;
  readonly service: number | null;
  readonly at: number;
  readonly why: string;
}

/** @throws TollcastError `NOT_RECONCILED` when something differs. */
export async function reconcile(options: SpanOptions): Promise<void> {
  const { totals, differences, isCut, disputes } = await ask<{
    totals: readonly Total[];
    differences: readonly Difference[];
    isCut: boolean;
    disputes: readonly { readonly id: number; readonly entry: number; readonly reason: string }[];
  }>(options, 'reconciliation');
  if (options.csv === true) {
    const rows = differences.map(({ from, to, amount, ...row }) => ({
      ...row,
      from: formatTime(from),
      to: formatTime(to),
      microUnits: amount,
    }));
    const disputed = disputes.map(({ id, entry, reason }) => ({
      kind: 'disputed',
      why: `entry ${entry}, dispute ${id}: ${reason}`,
    }));
    process.stdout.write(stringify([...rows, ...disputed], { header: true, columns: COLUMNS, escape_formulas: true }));
  } else {
    for (const { service, currency, receipts, octets, amount, torn } of totals) {
      const money = (microUnits: string) => formatMoney(BigInt(microUnits), currencyByCode(currency));
      process.stdout.write(
        `service ${service}: ${receipts} receipts, ${octets} octets, ${money(amount)}, ${money(torn)} torn\n`,
      );
    }
    for (const { kind, card, number, why } of differences) {
      process.stdout.write(`${kind}: card ${card}${number === null ? '' : `, receipt ${number}`}: ${why}\n`);
    }
    for (const { id, entry, reason } of disputes) {
      process.stdout.write(`disputed: entry ${entry}, dispute ${id}: ${reason}\n`);
    }
  }
  if (differences.length === 0) return;
  throw new TollcastError(
    'NOT_RECONCILED',
    `${isCut ? 'more than ' : ''}${differences.length} differences; look into each, and settle it by a correction`,
  );
}

/** What is written must not become a formula of a spreadsheet. */
const COLUMNS = ['kind', 'card', 'number', 'service', 'from', 'to', 'microUnits', 'why'];
const SUSPECT_COLUMNS = ['kind', 'card', 'number', 'service', 'at', 'why'];

export async function listFraud(options: SpanOptions): Promise<void> {
  const { suspects } = await ask<{ suspects: readonly Suspect[] }>(options, 'fraud');
  if (options.csv === true) {
    const rows = suspects.map(({ at, ...row }) => ({ ...row, at: formatTime(at) }));
    process.stdout.write(stringify(rows, { header: true, columns: SUSPECT_COLUMNS, escape_formulas: true }));
    return;
  }
  for (const { kind, card, number, at, why } of suspects) {
    process.stdout.write(`${formatTime(at)}  ${kind}: card ${card}, receipt ${number}: ${why}\n`);
  }
  if (suspects.length === 0) process.stdout.write('nothing\n');
}

async function ask<T>(options: SpanOptions, what: 'reconciliation' | 'fraud'): Promise<T> {
  const client = await OperatorClient.open(options.config);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The schema of the API says so.
  return (await client.ask('GET', `/v1/operator/${what}?${querySpan(options)}`)) as T;
}
