import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/**
 * Who the users are, and which cards they have had, each for some time; cards that were lost, and what is left of them;
 * what operators call a batch of vouchers.
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
  },
};
