import { join } from 'node:path';
import { formatCardId } from '../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import type { PurseStatus } from '../../apdu/decode-module/money/purse-status.ts';
import { toHex } from '../../apdu/octets.ts';
import { SoftSimulation } from '../../card-sim/simulator/soft-simulation.ts';
import { readItems } from '../../host/headend/charging/charging-rows.ts';
import { readBalances, readEntries } from '../../host/headend/ledger/read-ledger.ts';
import { parseMoney } from '../../host/money/amount.ts';
import { type HeadendStore, openHeadendStore } from '../../host/store/headend/headend-store.ts';
import type { SoldChannel } from '../support/headend/sold-channel.ts';
import { requireEqual, requireThat } from './mismatch.ts';
import { CREDIT, HOUR_PRICE, PRICE, VOUCHER } from './sold-terms.ts';

/** What came of all runs; amounts in micro-units. */
export interface ChannelTotals {
  readonly receipts: number;
  readonly octets: bigint;
  readonly torn: bigint;
  readonly delivered: number;
  readonly vouchers: number;
  readonly bills: number;
  readonly entries: number;
  /** Loads that were killed between claim and proof, or a moment after. */
  readonly cutLoads: number;
  /** Times that a load had to be typed again. */
  readonly failedLoads: number;
}

interface ChannelFigures {
  /** Addresses. */
  readonly cards: readonly string[];
  /** Octets, by card. */
  readonly delivered: readonly number[];
  /** Vouchers that each card was told to have loaded. */
  readonly vouchers: readonly number[];
  /** Of the whole run. */
  readonly seconds: number;
}

/** @throws Mismatch when card, receipts, journal, ledger, bills and what was delivered do not agree. */
export async function requireAgreement(
  channel: SoldChannel,
  { cards, delivered, vouchers, seconds }: ChannelFigures,
): Promise<Omit<ChannelTotals, 'cutLoads' | 'failedLoads'>> {
  const config = ['--config', 'headend.json'];
  // It fails when something differs.
  await channel.tollcast('billing', 'reconcile', ...config);
  requireEqual('fraud list', await channel.tollcast('billing', 'fraud', ...config), 'nothing\n');
  channel.server.child.kill('SIGTERM');
  requireEqual('exit status of the head-end', await channel.server.ended, 0);
  await using store = await openHeadendStore(join(channel.folder, 'state'));
  const balances = await readBalances(store);
  requireEqual('sum of all accounts', sumOf(balances), 0n);
  const totals = { receipts: 0, octets: 0n, torn: 0n, delivered: 0, vouchers: 0, bills: 0, entries: 0 };
  for (const [i, card] of cards.entries()) {
    const { id, purse } = await readCard(join(channel.folder, card.slice('soft:'.length)));
    const name = formatCardId(id);
    const balanceOf = (account: string) => balances.find((one) => one.account === account)?.amount ?? 0n;
    requireEqual(`account of ${name}`, balanceOf(`card:${name}`), purse.spent - purse.loaded);
    requireEqual(`torn, and not given back, of ${name}`, balanceOf(`torn:${name}`), 0n);
    const receipts = await requireReceipts(store, toHex(id), purse);
    requireThat(
      BigInt(delivered[i]!) <= receipts.octets + (receipts.torn * 1_000_000n) / PRICE,
      `${name} was delivered ${delivered[i]} octets, and paid for ${receipts.octets}; ${receipts.torn} was torn`,
    );
    await requireLoads(store, toHex(id), purse, vouchers[i]!);
    const bills = await requireBills(store, toHex(id), name, seconds);
    totals.receipts += purse.receiptsWritten;
    totals.octets += receipts.octets;
    totals.torn += receipts.torn;
    totals.delivered += delivered[i]!;
    totals.vouchers += vouchers[i]!;
    totals.bills += bills;
  }
  requireEqual('who is joined', await countOf(store, 'member'), 0);
  requireEqual('entries that are not billed', await countOf(store, 'chargingEntry'), 0);
  totals.entries = await countOf(store, 'ledgerEntry');
  return totals;
}

async function readCard(file: string): Promise<{ id: Uint8Array; purse: PurseStatus }> {
  const card = await SoftSimulation.start(file);
  try {
    const module = new DecodeModule(await card.channel());
    const { cardId } = await module.select();
    return { id: cardId, purse: await module.getPurse() };
  } finally {
    await card.close();
  }
}

/** Every receipt is there once, and they are what the card spent. */
async function requireReceipts(
  store: HeadendStore,
  cardId: string,
  purse: PurseStatus,
): Promise<{ octets: bigint; torn: bigint }> {
  const rows = await store.selectFrom('receipt').selectAll().where('cardId', '=', cardId).orderBy('number').execute();
  requireEqual('receipts', rows.length, purse.receiptsWritten);
  let octets = 0n;
  let amount = 0n;
  let torn = 0n;
  for (const [i, row] of rows.entries()) {
    requireEqual('number of a receipt', row.number, i + 1);
    requireEqual(`amount of receipt ${row.number}`, row.amount, (row.octets * PRICE + 999_999n) / 1_000_000n);
    octets += row.octets;
    amount += row.amount;
    torn += row.torn;
  }
  requireEqual('spent, by the receipts', amount + torn, purse.spent);
  requireEqual('torn, by the receipts', torn, purse.torn);
  requireEqual('taken', purse.taken, 0n);
  return { octets, torn };
}

/** Each voucher that was claimed is loaded once. */
async function requireLoads(store: HeadendStore, cardId: string, purse: PurseStatus, told: number): Promise<void> {
  const claimed = await store
    .selectFrom('credit')
    .select('amount')
    .where('cardId', '=', cardId)
    .where('loadId', 'is not', null)
    .execute();
  requireEqual('vouchers that were claimed', claimed.length, told);
  const ofCard = async (kind: string) => {
    const entries = await readEntries(store, { kind });
    return entries.filter(({ source }) => source.startsWith(`${cardId}:`));
  };
  const [loads, refunds] = [await ofCard('load'), await ofCard('refund')];
  // The first is that of the issuer.
  requireEqual('loads in the ledger', loads.length, told + 1);
  const paid = parseMoney(CREDIT).amount + BigInt(told) * parseMoney(VOUCHER).amount;
  requireEqual('loads in the ledger, in all', sumOf(loads.flatMap(({ lines }) => lines)), paid);
  const refunded = sumOf(refunds.flatMap(({ lines }) => lines));
  requireEqual('given back', refunded, purse.torn);
  requireEqual('loaded', purse.loaded, paid + refunded);
}

/** No second is billed twice, none that was not of the run, and each bill stands in the ledger once. */
async function requireBills(store: HeadendStore, cardId: string, name: string, seconds: number): Promise<number> {
  const log = await store.selectFrom('requestLog').selectAll().where('cardId', '=', cardId).execute();
  const asked = log.filter(({ requestId }) => requestId !== null);
  const rows = new Set(asked.map(({ requestId, outcome }) => `${requestId} ${outcome}`));
  requireEqual(`requests of ${name} in the log`, rows.size, asked.length);
  const bills = await store.selectFrom('bill').selectAll().where('user', '=', name).orderBy('timeFrom').execute();
  const charges = await readEntries(store, { account: `user:${name}` });
  requireEqual(`charges of ${name} in the ledger`, charges.length, bills.length);
  let end = 0;
  let billed = 0;
  for (const bill of bills) {
    requireThat(bill.isClosed, `bill ${bill.entryId} is not closed`);
    requireThat(bill.timeFrom >= end, `${name} is billed twice for ${bill.timeFrom} to ${end}`);
    requireThat(bill.seconds <= bill.timeTo - bill.timeFrom, `bill ${bill.entryId} is for more than its time`);
    end = bill.timeTo;
    billed += bill.seconds;
    const due = readItems(bill.items).filter(({ settlement }) => settlement === 'invoice');
    const entry = charges.find(({ source }) => source === String(bill.entryId));
    const charged = sumOf(entry?.lines ?? []);
    requireEqual(`charge of bill ${bill.entryId}`, charged, sumOf(due.map(({ charge }) => ({ amount: charge }))));
    requireEqual('price of its time', charged, BigInt(Math.ceil((bill.seconds * HOUR_PRICE) / 3600)));
  }
  requireThat(billed <= seconds, `${name} is billed for ${billed} s of a run of ${seconds}`);
  return bills.length;
}

function sumOf(list: readonly { readonly amount: bigint }[]): bigint {
  return list.reduce((sum, { amount }) => sum + amount, 0n);
}

async function countOf(store: HeadendStore, table: 'member' | 'chargingEntry' | 'ledgerEntry'): Promise<number> {
  const { n } = await store
    .selectFrom(table)
    .select(({ fn }) => fn.countAll<bigint>().as('n'))
    .executeTakeFirstOrThrow();
  return Number(n);
}
