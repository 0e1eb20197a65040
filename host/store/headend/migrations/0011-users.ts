import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { erasedDocument } from '../erased-document.ts';

/**
 * Who the users are, and which cards they have had, each for some time; cards that were lost, and what is left of them;
 * what operators call a batch of vouchers; what lets a name be erased, and nothing else be changed.
 */
export const users: Migration = {
  async up(database: Kysely<unknown>) {
    const { schema } = database;
    const withoutRowid = sql`without rowid,`;
    await schema
      .createTable('user')
      .addColumn('name', 'text', (column) => column.primaryKey().notNull())
      .addColumn('person', 'text')
      .addColumn('contact', 'text')
      .addColumn('address', 'text')
      .addColumn('added_at', 'bigint', (column) => column.notNull())
      .modifyEnd(withoutRowid)
      .execute();
    await schema.alterTable('card_user').renameTo('old_card_user').execute();
    await schema
      .createTable('card_user')
      .addColumn('card_id', 'text', (column) => column.notNull())
      .addColumn('since', 'bigint', (column) => column.notNull())
      .addColumn('until', 'bigint')
      .addColumn('user', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('card_user_key', ['card_id', 'since'])
      .modifyEnd(withoutRowid)
      .execute();
    await sql`insert into card_user (card_id, since, until, user) select card_id, 0, null, user from old_card_user`.execute(
      database,
    );
    await schema.dropTable('old_card_user').execute();
    await sql`create unique index card_user_of_now on card_user (card_id) where until is null`.execute(database);
    await sql`insert into user (name, added_at) select distinct user, 0 from card_user`.execute(database);
    await schema
      .createTable('voucher_batch')
      .addColumn('name', 'text', (column) => column.primaryKey().notNull())
      .addColumn('count', 'bigint', (column) => column.notNull())
      .addColumn('amount', 'bigint', (column) => column.notNull())
      .addColumn('currency', 'bigint', (column) => column.notNull())
      .addColumn('salt', 'bytea', (column) => column.notNull())
      .addColumn('made_at', 'bigint', (column) => column.notNull())
      .modifyEnd(withoutRowid)
      .execute();
    await schema
      .createTable('lost_card')
      .addColumn('card_id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('new_card_id', 'text', (column) => column.notNull())
      .addColumn('reported_at', 'bigint', (column) => column.notNull())
      .addColumn('reported_by', 'text', (column) => column.notNull())
      .addColumn('ends_at', 'bigint', (column) => column.notNull())
      .addColumn('due_at', 'bigint', (column) => column.notNull())
      .addColumn('decided_at', 'bigint')
      .addColumn('balance', 'bigint')
      .addColumn('held', 'bigint')
      .addColumn('moved', 'bigint')
      .modifyEnd(withoutRowid)
      .execute();
    await schema.alterTable('credit').addColumn('from_card', 'text').execute();
    // What a card leaves is moved once.
    await schema.createIndex('credit_by_lost_card').unique().on('credit').column('from_card').execute();
    await letNamesBeErased(database);
  },
};

/** Whom the transaction that runs erases. No transaction leaves a row in `erasing`. */
const ACCOUNT = (side: string) => sql`(new.${sql.ref(side)} = old.${sql.ref(side)} or exists (select 1 from erasing
  where old.${sql.ref(side)} = 'user:' || user and new.${sql.ref(side)} = 'user:' || pseudonym))`;

/** The ledger and invoices stay as they are, but for the name of a user that is erased, and what was noted of it. */
async function letNamesBeErased(database: Kysely<unknown>): Promise<void> {
  const { schema } = database;
  await schema
    .createTable('erasing')
    .addColumn('user', 'text', (column) => column.primaryKey().notNull())
    .addColumn('pseudonym', 'text', (column) => column.notNull())
    .execute();
  await schema
    .createTable('erasure')
    .addColumn('pseudonym', 'text', (column) => column.primaryKey().notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('is_overwritten', 'boolean', (column) => column.notNull())
    .execute();
  const stays = 'what stands in the ledger stays; a correction is a further entry';
  await replaceTrigger(
    database,
    'ledger_entry',
    sql`exists (select 1 from erasing) and ${isSame(['id', 'kind', 'at', 'period', 'lines'])}`,
    stays,
  );
  await replaceTrigger(
    database,
    'ledger_posting',
    sql`${isSame(['entry_id', 'line', 'currency', 'amount'])} and ${ACCOUNT('debit')} and ${ACCOUNT('credit')}
      and exists (select 1 from erasing)`,
    stays,
  );
  await replaceTrigger(
    database,
    'invoice',
    sql`exists (select 1 from erasing) and ${ACCOUNT('account')} and new.document = ${erasedDocument('old', sql`new.account`)}
      and ${isSame(['number', 'period', 'currency', 'issued_at', 'corrects', 'payable', 'carried'])}`,
    'an invoice stays as it was issued; a credit note is a further one',
  );
}

function isSame(columns: readonly string[]): RawBuilder<unknown> {
  return sql.join(
    columns.map((column) => sql`new.${sql.ref(column)} is old.${sql.ref(column)}`),
    sql` and `,
  );
}

async function replaceTrigger(
  database: Kysely<unknown>,
  table: string,
  mayChange: RawBuilder<unknown>,
  message: string,
): Promise<void> {
  const name = sql.raw(`${table}_no_update`);
  await sql`drop trigger ${name}`.execute(database);
  await sql`create trigger ${name} before update on ${sql.table(table)} when not (${mayChange})
    begin select raise(abort, ${sql.lit(message)}); end`.execute(database);
}
