import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import type { LogRecord } from '../../../apdu/decode-module/money/log-record.ts';
import { ModuleError } from '../../../apdu/decode-module/module-status.ts';
import { toHex } from '../../../apdu/octets.ts';
import { requireLife } from '../../holder/require-life.ts';
import { type CardOptions, print, withCard } from '../options/card-option.ts';
import { currencyByNumber } from '../../money/currency.ts';
import { formatSpendLimit, spendLimitJson } from '../issuer/issuer-limits.ts';
import { moment } from '../terminal/moment.ts';
import { formatMoney } from '../../money/amount.ts';

/** Records that a card keeps; `firmware-notes/protocol.md` 7.2. */
const MOST_RECORDS = 64;
const DAY = 86_400;

/** `tollcast card log`: the purse record by record, the newest first. */
export async function showLog(options: CardOptions & { readonly last: number }): Promise<void> {
  await withCard(options, async (channel) => {
    const module = new DecodeModule(channel);
    const answer = await module.select();
    requireLife(answer, ['active', 'blocked', 'terminated']);
    const { cardId, currency: number } = answer;
    // One more, to tell what the oldest one shown changed.
    const read = await readLog(module, options.last + 1);
    const records = read.slice(0, options.last);
    const currency = currencyByNumber(number);
    const write = (amount: bigint) => formatMoney(amount, currency).replace(` ${currency.code}`, '');
    const rows = records.map((record, i) => [
      String(record.sequence),
      happened(record, read[i + 1], (amount) => formatMoney(amount, currency)),
      write(record.loaded - record.spent),
      write(record.taken),
      `${record.receiptsWritten}/${record.receiptsAcknowledged}`,
      record.day === 0 ? '' : `${moment(record.day * DAY).slice(0, 10)} ${write(record.spentOfDay)}`,
      formatSpendLimit(record.spendLimit, currency).replace(` ${currency.code}`, ''),
    ]);
    const head = ['record', 'what', 'balance', 'taken', 'receipts', 'spent of day', 'spend limit'];
    print(options, { card: formatCardId(cardId), currency: currency.code, records: records.map(inJson) }, [
      ...table([head, ...rows]),
      `card ${formatCardId(cardId)}, amounts in ${currency.code}; receipts: written/collected`,
    ]);
  });
}

/** @param most newest ones, 1 to 64. */
async function readLog(module: DecodeModule, most: number): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for (let back = 0; back < Math.min(most, MOST_RECORDS); back++) {
    try {
      records.push(await module.log(back));
    } catch (error) {
      if (error instanceof ModuleError && error.code === 'NOT_FOUND') break;
      throw error;
    }
  }
  return records;
}

/** What a record says beyond the one before it, the most telling of it. */
function happened(record: LogRecord, before: LogRecord | undefined, write: (amount: bigint) => string): string {
  if (before === undefined) return record.sequence === 1 ? 'personalised' : '';
  if (record.loadNumber !== before.loadNumber) {
    return `${record.limitLoaded ? 'credit limit' : 'loaded'} ${write(record.loadAmount)}`;
  }
  if (record.receiptsWritten !== before.receiptsWritten) {
    const torn = record.torn - before.torn;
    const what = torn > 0n ? `torn, ${write(torn)} not used` : 'closed';
    return `${what}: spent ${write(record.spent - before.spent)} on service ${before.service}`;
  }
  if (record.receiptsAcknowledged !== before.receiptsAcknowledged) return 'receipts collected';
  if (record.taken !== before.taken) return `took ${write(record.taken - before.taken)} for service ${record.service}`;
  if (record.spendLimit !== before.spendLimit) return 'spend limit changed';
  return record.service === 0 ? '' : `charged for service ${record.service}`;
}

function inJson(record: LogRecord): Record<string, unknown> {
  const { sequence, loadNumber, limitLoaded, session, service, day, receiptsWritten, receiptsAcknowledged } = record;
  return {
    sequence,
    loaded: Number(record.loaded),
    spent: Number(record.spent),
    torn: Number(record.torn),
    balance: Number(record.loaded - record.spent),
    creditLimit: Number(record.creditLimit),
    loadNumber,
    loadId: toHex(record.loadId),
    loadAmount: Number(record.loadAmount),
    loadWas: loadNumber === 0 ? null : limitLoaded ? 'credit limit' : 'load',
    session,
    service: service === 0 ? null : service,
    taken: Number(record.taken),
    day: day === 0 ? null : moment(day * DAY).slice(0, 10),
    spentOfDay: Number(record.spentOfDay),
    spendLimit: spendLimitJson(record.spendLimit),
    receiptsWritten,
    receiptsAcknowledged,
    unacknowledged: Number(record.unacknowledged),
  };
}

/** Columns as wide as what stands in them. */
function table(rows: readonly (readonly string[])[]): string[] {
  const width = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const widths = (rows[0] ?? []).map((_, column) => width(column));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
