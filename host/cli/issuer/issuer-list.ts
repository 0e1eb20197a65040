import { once } from 'node:events';
import { Argument, type Command } from 'commander';
import { stringify } from 'csv-stringify/sync';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { parseReceipt } from '../../../apdu/decode-module/money/receipt.ts';
import type { CardOverview } from '../../issuer/cards/account-tables.ts';
import { Accounts } from '../../issuer/cards/accounts.ts';
import { formatAmount, formatMoney } from '../../money/amount.ts';
import { currencyByNumber } from '../../money/currency.ts';
import { createStoreCommand, type StoreOptions } from '../options/issuer-option.ts';
import { formatTime } from '../terminal/time.ts';

interface ListOptions extends StoreOptions {
  readonly json?: true;
}

/** A column of an export: its name, and whether it is an amount in micro-units, which people read as a decimal. */
type Cell = string | number | boolean | { readonly microUnits: bigint };
type Row = Readonly<Record<string, Cell>> & { readonly currency: string };

/** What can be exported. */
const TABLES = ['cards', 'orders', 'receipts'] as const;

/** Adds the commands of `tollcast issuer` that show its accounts. They need no passphrase and no card. */
export function addListCommands(issuer: Command): void {
  createStoreCommand(issuer, 'list', 'list the cards of this issuer, as the accounts know them')
    .option('--json', 'print one line of JSON; amounts in micro-units, 1000000 to the unit')
    .action(list);
  createStoreCommand(issuer, 'export', 'write cards, orders or receipts to standard output, as CSV')
    .addArgument(new Argument('<table>', 'what to write').choices(TABLES))
    .option('--json', 'write a line of JSON for each; amounts in micro-units, 1000000 to the unit')
    .action(exportTable);
}

async function list(options: ListOptions): Promise<void> {
  await using accounts = await Accounts.open(options.store);
  const issuer = accounts.issuer.toString(16).padStart(6, '0');
  if (options.json !== true) {
    let cards = 0;
    for await (const card of accounts.tables.cards()) {
      await write(`${describeCard(card)}\n`);
      cards += 1;
    }
    await write(`issuer ${issuer}: ${cards} ${cards === 1 ? 'card' : 'cards'}\n`);
    return;
  }
  await write(`{"issuer":"${issuer}","cards":[`);
  let separator = '';
  for await (const card of accounts.tables.cards()) {
    await write(`${separator}${JSON.stringify(toJson(cardRow(card)))}`);
    separator = ',';
  }
  await write(']}\n');
}

function describeCard(card: CardOverview): string {
  const currency = currencyByNumber(card.currency);
  const notes = [
    ...(card.creditLimit === 0n ? [] : [`credit limit ${formatMoney(card.creditLimit, currency)}`]),
    ...(card.hasOpenOrder ? ['an order is open'] : []),
    ...(card.withdrawn ? ['withdrawn'] : []),
  ];
  const loads = `${formatMoney(card.loaded, currency)} in ${card.loads} ${card.loads === 1 ? 'load' : 'loads'}`;
  return [
    `${formatCardId(card.cardId)}  ${formatTime(card.issuedAt).slice(0, 10)}  loaded ${loads}`,
    `spent ${formatMoney(card.spent, currency)}`,
    `collected ${formatMoney(card.receiptsAmount, currency)} in ${card.receiptsKept}`,
    ...notes,
  ].join(', ');
}

async function exportTable(table: (typeof TABLES)[number], options: ListOptions): Promise<void> {
  await using accounts = await Accounts.open(options.store);
  let isFirst = true;
  for await (const row of readRows(accounts, table)) {
    if (options.json === true) {
      await write(`${JSON.stringify(toJson(row))}\n`);
      continue;
    }
    const currency = currencyByNumber(Number(row.currency));
    const cells = Object.entries(row).map(([name, cell]): [string, string | number | boolean] => {
      if (name === 'currency') return [name, currency.code];
      return [name, typeof cell === 'object' ? formatAmount(cell.microUnits, currency) : cell];
    });
    await write(stringify([Object.fromEntries(cells)], { header: isFirst, cast: { boolean: String } }));
    isFirst = false;
  }
}

async function* readRows({ tables }: Accounts, table: (typeof TABLES)[number]): AsyncGenerator<Row> {
  switch (table) {
    case 'cards':
      for await (const card of tables.cards()) yield cardRow(card);
      return;
    case 'orders': {
      const currencies = await readCurrencies(tables);
      for await (const order of tables.orders()) {
        yield {
          card: formatCardId(order.cardId),
          number: order.number,
          kind: order.kind,
          currency: String(currencies.get(formatCardId(order.cardId))),
          amount: { microUnits: order.asked },
          refund: { microUnits: order.refund },
          signed: formatTime(order.signedAt),
          proved: order.proved,
        };
      }
      return;
    }
    case 'receipts':
      for await (const { octets } of tables.receipts()) {
        const receipt = parseReceipt(octets);
        yield {
          card: formatCardId(receipt.cardId),
          number: receipt.number,
          service: receipt.service,
          currency: String(receipt.currency),
          amount: { microUnits: receipt.amount },
          torn: { microUnits: receipt.torn },
          octets: receipt.octets,
          duration: receipt.duration,
          from: formatTime(receipt.from),
          to: formatTime(receipt.to),
          reason: receipt.reason,
        };
      }
      return;
  }
}

async function readCurrencies(tables: Accounts['tables']): Promise<ReadonlyMap<string, number>> {
  const currencies = new Map<string, number>();
  for await (const { cardId, currency } of tables.cards()) currencies.set(formatCardId(cardId), currency);
  return currencies;
}

function cardRow(card: CardOverview): Row {
  return {
    card: formatCardId(card.cardId),
    class: card.moduleClass,
    currency: String(card.currency),
    issued: formatTime(card.issuedAt),
    maximumBalance: { microUnits: card.maximumBalance },
    loaded: { microUnits: card.loaded },
    loads: card.loads,
    openOrder: card.hasOpenOrder,
    creditLimit: { microUnits: card.creditLimit },
    spent: { microUnits: card.spent },
    torn: { microUnits: card.torn },
    receipts: card.receiptsKept,
    receiptsAmount: { microUnits: card.receiptsAmount },
    withdrawn: card.withdrawn,
  };
}

function toJson(row: Row): Record<string, unknown> {
  const entries = Object.entries(row).map(([name, cell]): [string, unknown] => {
    if (name === 'currency') return [name, currencyByNumber(Number(cell)).code];
    return [name, typeof cell === 'object' ? Number(cell.microUnits) : cell];
  });
  return Object.fromEntries(entries);
}

/** Waits while whoever reads standard output is slow. */
async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}
