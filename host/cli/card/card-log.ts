import type { CardChannel } from '../../../apdu/card-channel.ts';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import type { LogRecord } from '../../../apdu/decode-module/money/log-record.ts';
import { toHex } from '../../../apdu/octets.ts';
import { requirePurseShown } from '../../holder/life.ts';
import { type PurseEvent, readPurseLog } from '../../holder/purse-log.ts';
import { formatMoney } from '../../money/amount.ts';
import { currencyByNumber } from '../../money/currency.ts';
import { formatSpendLimit } from '../../money/spend-limit.ts';
import { type CardOptions, print, withCard } from '../options/card-option.ts';
import { formatDay } from '../terminal/time.ts';
import { spendLimitToJson, type View } from './card-view.ts';

/** `tollcast card log`: the purse record by record, the newest first. */
export async function showLog(options: CardOptions & { readonly last: number }): Promise<void> {
  await withCard(options, async (channel) => {
    const { json, lines } = await readLogView(channel, options.last);
    print(options, json, lines);
  });
}

/** The newest records of a purse. @param count 1 to 64. */
export async function readLogView(channel: CardChannel, count: number): Promise<View> {
  const module = new DecodeModule(channel);
  const answer = await module.select();
  requirePurseShown(answer);
  const { cardId, currency: number } = answer;
  const entries = await readPurseLog(module, count);
  const currency = currencyByNumber(number);
  const format = (amount: bigint) => formatMoney(amount, currency).replace(` ${currency.code}`, '');
  const rows = entries.map(({ record, event }) => [
    String(record.sequence),
    describeEvent(event, (amount) => formatMoney(amount, currency)),
    format(record.loaded - record.spent),
    format(record.taken),
    `${record.receiptsWritten}/${record.receiptsAcknowledged}`,
    record.day === 0 ? '' : `${formatDay(record.day)} ${format(record.spentOfDay)}`,
    formatSpendLimit(record.spendLimit, currency).replace(` ${currency.code}`, ''),
  ]);
  const head = ['record', 'what', 'balance', 'taken', 'receipts', 'spent of day', 'spend limit'];
  return {
    json: {
      card: formatCardId(cardId),
      currency: currency.code,
      records: entries.map(({ record }) => recordToJson(record)),
    },
    lines: [
      ...formatTable([head, ...rows]),
      `card ${formatCardId(cardId)}, amounts in ${currency.code}; receipts: written/collected`,
    ],
  };
}

function describeEvent(event: PurseEvent, write: (amount: bigint) => string): string {
  switch (event.kind) {
    case 'personalised':
      return 'personalised';
    case 'loaded':
      return `loaded ${write(event.amount)}`;
    case 'creditLimitSet':
      return `credit limit ${write(event.amount)}`;
    case 'closed':
      return `closed: spent ${write(event.spent)} on service ${event.service}`;
    case 'torn':
      return `torn, ${write(event.torn)} not used: spent ${write(event.spent)} on service ${event.service}`;
    case 'receiptsCollected':
      return 'receipts collected';
    case 'taken':
      return `took ${write(event.amount)} for service ${event.service}`;
    case 'spendLimitChanged':
      return 'spend limit changed';
    case 'charged':
      return `charged for service ${event.service}`;
    case 'unknown':
      return '';
  }
}

function recordToJson(record: LogRecord): Record<string, unknown> {
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
    day: day === 0 ? null : formatDay(day),
    spentOfDay: Number(record.spentOfDay),
    spendLimit: spendLimitToJson(record.spendLimit),
    receiptsWritten,
    receiptsAcknowledged,
    unacknowledged: Number(record.unacknowledged),
  };
}

/** Lines of columns, each as wide as its widest cell. */
function formatTable(rows: readonly (readonly string[])[]): string[] {
  const width = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const widths = (rows[0] ?? []).map((_, column) => width(column));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
