import { randomBytes } from 'node:crypto';
import { type RawBuilder, sql, type Transaction } from 'kysely';
import { TollcastError } from '../../../../apdu/errors.ts';
import { toHex } from '../../../../apdu/octets.ts';
import { formatMoney } from '../../../money/amount.ts';
import { currencyByNumber } from '../../../money/currency.ts';
import { ERASED_NOTE, erasedDocument } from '../../../store/headend/erased-document.ts';
import type { HeadendStore } from '../../../store/headend/headend-store.ts';
import type { HeadendTables } from '../../../store/headend/tables/headend-tables.ts';
import { readBalances } from '../../ledger/read-ledger.ts';
import { type CardHolding, readHoldings } from './card-holdings.ts';
import { makeRedactor } from './redact.ts';
import { cardOfName, PSEUDONYM, requireUserName } from './user-name.ts';

type Redactor = (text: string) => string;

/** Whose name becomes what. */
interface Renamed {
  readonly user: string;
  readonly pseudonym: string;
  readonly redact: Redactor;
}

/** Entries of the ledger whose source is what an operator called them. */
const NAMED = new Set(['payment', 'refund', 'write-off']);
/** A refund that follows from something else is named by that. */
const OTHERS = /^(?:credit-note|dispute) /;
/** Changes of what is sold; no user is in them. */
const OF_SERVICES = ['put', 'remove', 'add'];

/**
 * Whether a user can be erased; it changes nothing.
 * @param isArchived whether the operator says that it has kept the invoices elsewhere, as far as the law makes it.
 * @throws TollcastError `NOT_ERASABLE` with what to do first.
 */
export async function requireErasable(store: HeadendStore, user: string, isArchived: boolean): Promise<void> {
  requireUserName(user);
  const running = await store
    .selectFrom('subscription')
    .select('service')
    .where('user', '=', user)
    .where('until', 'is', null)
    .executeTakeFirst();
  if (running !== undefined) throw refuse(user, `has a subscription of service ${running.service}; end it first`);
  const open = await findOpenDispute(store, user);
  if (open !== undefined) throw refuse(user, `has an open dispute (${open}); rule it first`);
  const owed = (await readBalances(store, `user:${user}`)).find(({ amount }) => amount !== 0n);
  if (owed !== undefined) {
    const amount = formatMoney(owed.amount, currencyByNumber(owed.currency));
    throw refuse(user, `owes ${amount}; settle it first, by a payment, a refund or a write-off`);
  }
  if (isArchived) return;
  const invoice = await store
    .selectFrom('invoice')
    .select('number')
    .where('account', '=', `user:${user}`)
    .orderBy('number', 'desc')
    .executeTakeFirst();
  if (invoice === undefined) return;
  const why = `has invoices (the last is ${invoice.number}), which the law may make you keep with name and address`;
  throw refuse(user, `${why}; export the user first, keep that elsewhere, and say --archived`);
}

/**
 * Erases who a user is, in one transaction: name, contact, address and what operators wrote of it go, and a pseudonym
 * has the place of the name. Amounts, times, services and cards stay, so that all sums do. The name of a user that is
 * its card is the card's, and stays.
 * @param now seconds since 1970.
 * @returns what stands for the name.
 */
export async function eraseUser(store: HeadendStore, user: string, now: number): Promise<string> {
  const isCard = cardOfName(user) !== undefined;
  const pseudonym = isCard ? user : `${PSEUDONYM}${toHex(randomBytes(6))}`;
  const person = await store.selectFrom('user').selectAll().where('name', '=', user).executeTakeFirst();
  const said = [person?.person, person?.contact, person?.address].filter((text) => typeof text === 'string');
  const texts = isCard ? said : [user, ...said];
  const stands = isCard ? ERASED_NOTE : pseudonym;
  const renamed = { user, pseudonym, redact: makeRedactor(texts, stands, true) };
  const holdings = await readHoldings(store, user);
  await store.transaction().execute(async (transaction) => {
    await transaction.insertInto('erasing').values({ user, pseudonym }).execute();
    await eraseLedger(transaction, renamed, holdings);
    await eraseInvoices(transaction, renamed);
    for (const table of ['cardUser', 'subscription', 'bill', 'chargingEntry'] as const) {
      await transaction.updateTable(table).set({ user: pseudonym }).where('user', '=', user).execute();
    }
    await eraseCredits(transaction, renamed.redact, holdings);
    await eraseChanges(transaction, makeRedactor(texts, stands, false));
    await transaction.deleteFrom('user').where('name', '=', user).execute();
    const nobody = { name: pseudonym, person: null, contact: null, address: null, addedAt: now };
    await transaction.insertInto('user').values(nobody).execute();
    await transaction.deleteFrom('erasing').execute();
    await transaction
      .insertInto('erasure')
      .values({ pseudonym, at: now, isOverwritten: false })
      .onConflict((conflict) => conflict.column('pseudonym').doUpdateSet({ at: now, isOverwritten: false }))
      .execute();
  });
  return pseudonym;
}

async function eraseLedger(
  transaction: Transaction<HeadendTables>,
  { user, pseudonym, redact }: Renamed,
  holdings: readonly CardHolding[],
): Promise<void> {
  const [account, erased] = [`user:${user}`, `user:${pseudonym}`];
  const cards = holdings.flatMap(({ card }) => [`card:${card}`, `torn:${card}`]);
  const { rows } = await sql<{ id: bigint; kind: string; source: string; note: string | null; isOwn: bigint }>`
    select id, kind, source, note, max(debit = ${account} or credit = ${account}) as is_own
    from ledger_posting join ledger_entry on id = entry_id
    where debit in ${listOf([account, ...cards])} or credit in ${listOf([account, ...cards])}
    group by id`.execute(transaction);
  for (const { id, kind, source, note, isOwn } of rows) {
    let known = source;
    if (kind === 'period-fee' && source.endsWith(`:${user}`)) known = `${source.slice(0, -user.length)}${pseudonym}`;
    else if (isOwn !== 0n && NAMED.has(kind) && !OTHERS.test(source)) known = nameAgain(source, redact, id);
    const said = note === null ? null : ERASED_NOTE;
    if (known === source && said === note) continue;
    await sql`update ledger_entry set source = ${known}, note = ${said} where id = ${id}`.execute(transaction);
  }
  const ids = listOf(rows.map(({ id }) => String(id)));
  await sql`update dispute set reason = ${ERASED_NOTE} where cast(entry_id as text) in ${ids}`.execute(transaction);
  await sql`update dispute_ruling set ruling_note = ${ERASED_NOTE} where dispute_id in
    (select id from dispute where cast(entry_id as text) in ${ids})`.execute(transaction);
  for (const side of ['debit', 'credit'] as const) {
    await transaction
      .updateTable('ledgerPosting')
      .set({ [side]: erased })
      .where(side, '=', account)
      .execute();
  }
}

/** Invoices get other names, and with them the entries of their taxes and refunds. */
async function eraseInvoices(
  transaction: Transaction<HeadendTables>,
  { user, pseudonym, redact }: Renamed,
): Promise<void> {
  const rows = await transaction
    .selectFrom('invoice')
    .select(['number', 'name', 'corrects'])
    .where('account', '=', `user:${user}`)
    .execute();
  const account = `user:${pseudonym}`;
  for (const { number, name, corrects } of rows) {
    const known = corrects === null ? name.replace(`user:${user}`, () => account) : nameAgain(name, redact, number);
    await sql`update invoice set name = ${known}, account = ${account},
      document = ${erasedDocument('invoice', sql`${account}`)} where number = ${number}`.execute(transaction);
    await sql`update ledger_entry set source = ${known} || substr(source, ${name.length + 1})
      where kind in ('tax', 'refund') and (source = ${name} or substr(source, 1, ${name.length + 1}) = ${`${name} `})`.execute(
      transaction,
    );
  }
}

/** What operators called grants to its cards. */
async function eraseCredits(
  transaction: Transaction<HeadendTables>,
  redact: Redactor,
  holdings: readonly CardHolding[],
): Promise<void> {
  const credits = await transaction
    .selectFrom('credit')
    .select(['id', 'name'])
    .where('cardId', 'in', listOf(holdings.map(({ cardId }) => cardId)))
    .where('name', 'is not', null)
    .execute();
  for (const { id, name } of credits) {
    const known = nameAgain(name ?? '', redact, id);
    if (known !== name) await transaction.updateTable('credit').set({ name: known }).where('id', '=', id).execute();
  }
}

/** What stands in the log of changes, but for those of services. */
async function eraseChanges(transaction: Transaction<HeadendTables>, redact: Redactor): Promise<void> {
  const changes = await transaction.selectFrom('change').selectAll().where('action', 'not in', OF_SERVICES).execute();
  for (const { id, subject, detail } of changes) {
    const known = { subject: redact(subject), detail: detail === null ? null : redact(detail) };
    if (known.subject === subject && known.detail === detail) continue;
    await transaction.updateTable('change').set(known).where('id', '=', id).execute();
  }
}

/** What an operator called something, without the user: two of them stay two. */
function nameAgain(name: string, redact: Redactor, id: number | bigint): string {
  const known = redact(name);
  return known === name ? name : `${known}.${id}`;
}

async function findOpenDispute(store: HeadendStore, user: string): Promise<number | undefined> {
  const account = `user:${user}`;
  const row = await store
    .selectFrom('dispute')
    .leftJoin('disputeRuling', 'disputeId', 'dispute.id')
    .innerJoin('ledgerPosting as posting', 'posting.entryId', 'dispute.entryId')
    .select('dispute.id')
    .where('ruling', 'is', null)
    .where((of) => of.or([of('debit', '=', account), of('credit', '=', account)]))
    .executeTakeFirst();
  return row?.id;
}

function listOf(texts: readonly string[]): RawBuilder<string> {
  return sql<string>`(select value from json_each(${JSON.stringify(texts)}))`;
}

function refuse(user: string, why: string): TollcastError {
  return new TollcastError('NOT_ERASABLE', `${user} ${why}`);
}
