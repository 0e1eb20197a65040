import { stringify } from 'csv-stringify/sync';
import type { Static } from 'typebox';
import type { BALANCES, EXPLANATION, LEDGER_ENTRY, SUBSCRIPTION } from '../../headend/api/replies/ledger-reply.ts';
import type { SUBSCRIPTIONS } from '../../headend/api/routes/subscription-routes.ts';
import { change } from '../headend/operator-actions.ts';
import { OperatorClient } from '../headend/operator-client.ts';
import { print } from '../options/card-option.ts';
import { formatTime } from '../terminal/time.ts';
import type { SubscriptionsOptions } from './billing-subscriptions.ts';
import { describeDispute } from './dispute-actions.ts';

type LedgerEntry = Static<typeof LEDGER_ENTRY>;
type Balances = Static<typeof BALANCES>;
type Explanation = Static<typeof EXPLANATION>;

interface ShowOptions {
  readonly config: string;
  readonly json?: true;
}

/** Entries that are asked for at a time. */
const PAGE = 1000;

/** Shows what accounts have come to. */
export async function report({ account, ...options }: ShowOptions & { readonly account?: string }): Promise<void> {
  const query = account === undefined ? '' : `?${new URLSearchParams({ account }).toString()}`;
  const answer = await ask<Balances>(options.config, 'GET', `/v1/operator/billing/balances${query}`);
  const width = Math.max(...answer.balances.map((balance) => balance.account.length), 0);
  const lines = answer.balances.map(({ account: name, debit, credit }) => {
    if (debit === '' && credit === '') return `${name.padEnd(width)}  settled`;
    return `${name.padEnd(width)}  ${debit === '' ? `credit ${credit}` : `debit  ${debit}`}`;
  });
  if (lines.length === 0) lines.push('nothing stands in the ledger yet');
  if (answer.closed !== null) lines.push(`closed up to ${answer.closed}`);
  const { openDisputes } = answer;
  if (openDisputes > 0) lines.push(`${openDisputes} open ${openDisputes === 1 ? 'dispute' : 'disputes'}`);
  print(options, answer, lines);
}

/** Follows an entry to its source. */
export async function explain(id: number, options: ShowOptions): Promise<void> {
  const answer = await ask<Explanation>(options.config, 'GET', `/v1/operator/billing/entries/${id}`);
  print(options, answer, describe(answer));
}

/** Lists who is and was subscribed. */
export async function listSubscriptions({ service, user, ...options }: SubscriptionsOptions): Promise<void> {
  const wanted = { ...(service !== undefined && { service: String(service) }), ...(user !== undefined && { user }) };
  const path = `/v1/operator/billing/subscriptions?${new URLSearchParams(wanted).toString()}`;
  const answer = await ask<Static<typeof SUBSCRIPTIONS>>(options.config, 'GET', path);
  const lines = answer.subscriptions.map(describeSubscription);
  print(options, answer, lines.length === 0 ? ['nobody is subscribed'] : lines);
}

/** Writes the lines of the ledger as CSV. */
export async function exportLines(options: {
  readonly config: string;
  readonly period?: string;
  readonly account?: string;
}): Promise<void> {
  const { config, period, account } = options;
  const columns = [
    'entry',
    'line',
    'time',
    'month',
    'event',
    'source',
    'debit',
    'credit',
    'amount',
    'currency',
    'note',
    'dispute',
  ];
  process.stdout.write(stringify([columns]));
  for (let after = 0; ;) {
    const query = new URLSearchParams({
      after: String(after),
      limit: String(PAGE),
      ...(period !== undefined && { period }),
      ...(account !== undefined && { account }),
    });
    const path = `/v1/operator/billing/entries?${query.toString()}`;
    const { entries } = await ask<{ readonly entries: readonly LedgerEntry[] }>(config, 'GET', path);
    // A name is the user's own: it must not become a formula of a spreadsheet.
    process.stdout.write(stringify(entries.flatMap(toRows), { escape_formulas: true }));
    if (entries.length < PAGE) return;
    after = entries.at(-1)!.id;
  }
}

/** Enters an event. @param path of its kind. */
export async function enter(
  path: string,
  name: string,
  { config, json, ...body }: ShowOptions & { readonly amount: string },
): Promise<void> {
  const address = `/v1/operator/billing/${path}/${encodeURIComponent(name)}`;
  const entry = await ask<LedgerEntry>(config, 'PUT', address, body);
  print({ ...(json && { json }) }, entry, describeEntry(entry));
}

/** Takes an entry back. */
export async function correct(id: number, options: ShowOptions & { readonly note: string }): Promise<void> {
  const { note, config } = options;
  const entry = await ask<LedgerEntry>(config, 'PUT', `/v1/operator/billing/entries/${id}/correction`, { note });
  print(options, entry, describeEntry(entry));
}

export async function close(period: string, config: string): Promise<void> {
  await change(config, 'PUT', `/v1/operator/billing/periods/${encodeURIComponent(period)}/close`);
}

async function ask<T>(config: string, method: 'GET' | 'PUT', path: string, body?: unknown): Promise<T> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The API's schema of the route says so.
  return (await (await OperatorClient.open(config)).ask(method, path, body)) as T;
}

function toRows({ id, at, period, kind, source, note, lines, dispute }: LedgerEntry): string[][] {
  return lines.map(({ debit, credit, amount }, index) => {
    const [number = '', currency = ''] = amount.split(' ');
    const time = formatTime(at);
    return [
      String(id),
      String(index + 1),
      time,
      period,
      kind,
      source,
      debit,
      credit,
      number,
      currency,
      note ?? '',
      dispute ?? '',
    ];
  });
}

function describeSubscription(row: Static<typeof SUBSCRIPTION>): string {
  const { user, service, part, payer, price, seconds, since, until } = row;
  const time = `since ${formatTime(since)}${until === null ? '' : ` until ${formatTime(until)}`}`;
  return `subscription of ${user}: service ${service}, ${part}, ${price} for ${seconds} s, of the ${payer}, ${time}`;
}

function describeEntry({ id, kind, source, at, period, note, lines }: LedgerEntry): string[] {
  return [
    `entry ${id}: ${kind} ${source}, ${formatTime(at)}, in ${period}${note === null ? '' : `: ${note}`}`,
    ...lines.map(({ debit, credit, amount }) => `  ${amount} from ${credit} to ${debit}`),
  ];
}

function describe(explanation: Explanation): string[] {
  const { entry, bill, requests, subscriptions, connections, receipt, lostCard } = explanation;
  const { corrected, correction, disputes, upheld } = explanation;
  const lines = describeEntry(entry);
  if (corrected !== undefined) lines.push('takes back', ...describeEntry(corrected));
  if (bill !== undefined) {
    const { session, service, from, to, seconds, octets, items } = bill;
    lines.push(
      `bill for service ${service}, session ${session}`,
      ...items.map(({ part, payer, settlement, charge }) => `  ${part}: ${charge} by ${settlement}, of the ${payer}`),
      `  ${seconds} s from ${formatTime(from)} to ${formatTime(to)}${octets === '0' ? '' : `, ${octets} octets`}`,
    );
  }
  for (const { id, at, card, kind, outcome, segment, from, to } of requests ?? []) {
    const opened =
      segment === null || to === null ? '' : `: segment ${segment} from ${formatTime(from)} to ${formatTime(to)}`;
    lines.push(`  request ${id}: ${formatTime(at)}, card ${card}: ${kind}, ${outcome}${opened}`);
  }
  lines.push(...(subscriptions ?? []).map(describeSubscription));
  for (const { user, session, from, to } of connections ?? []) {
    lines.push(`connection of ${user}: session ${session}, from ${formatTime(from)} to ${formatTime(to)}`);
  }
  if (receipt !== undefined) {
    const { card, number, service, from, to, octets, amount, torn, takenAt } = receipt;
    lines.push(
      `receipt ${number} of card ${card}: ${amount} for ${octets} octets of service ${service}, torn ${torn}`,
      `  media of ${formatTime(from)} to ${formatTime(to)}; delivered ${formatTime(takenAt)}`,
    );
  }
  if (lostCard !== undefined) {
    const { card, newCard, reportedAt, reportedBy, endsAt, balance, held, moved } = lostCard;
    lines.push(
      `card ${card} was lost, as ${reportedBy} entered on ${formatTime(reportedAt)}; card ${newCard} has its place`,
      `  its last purchase ended ${endsAt === 0 ? 'before' : formatTime(endsAt)}; it had ${balance} by the ledger`,
      `  held back ${held}, which it may have spent without a receipt; moved ${moved}`,
    );
  }
  if (correction !== undefined) lines.push('taken back by', ...describeEntry(correction));
  lines.push(...(disputes ?? []).flatMap(describeDispute));
  if (upheld !== undefined) lines.push('gives back what was disputed', ...describeDispute(upheld));
  return lines;
}
