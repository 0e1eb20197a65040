import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** What was sent under each content key, second by second, and what a card takes for it. */
export const sentJournal: Migration = {
  async up(database: Kysely<unknown>) {
    const { schema } = database;
    const withoutRowid = sql`without rowid,`;
    await schema
      .createTable('sent_key')
      .addColumn('service', 'bigint', (column) => column.notNull())
      .addColumn('key_id', 'bigint', (column) => column.notNull())
      .addColumn('session', 'text', (column) => column.notNull())
      .addColumn('segment', 'bigint', (column) => column.notNull())
      .addColumn('tariff', 'text', (column) => column.notNull())
      .addColumn('price', 'bigint', (column) => column.notNull())
      .addColumn('currency', 'bigint')
      .addPrimaryKeyConstraint('sent_key_key', ['service', 'key_id'])
      .modifyEnd(withoutRowid)
      .execute();
    await schema
      .createTable('sent_second')
      .addColumn('service', 'bigint', (column) => column.notNull())
      .addColumn('second', 'bigint', (column) => column.notNull())
      .addColumn('key_id', 'bigint', (column) => column.notNull())
      .addColumn('octets', 'bigint', (column) => column.notNull())
      .addColumn('duration', 'bigint', (column) => column.notNull())
      .addColumn('groups', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('sent_second_key', ['service', 'second', 'key_id'])
      .modifyEnd(withoutRowid)
      .execute();
    await schema
      .createTable('sent_bound')
      .addColumn('service', 'bigint', (column) => column.notNull())
      .addColumn('ssrc', 'bigint', (column) => column.notNull())
      .addColumn('time_from', 'bigint', (column) => column.notNull())
      .addColumn('time_to', 'bigint', (column) => column.notNull())
      .addColumn('octets', 'bigint', (column) => column.notNull())
      .addColumn('duration', 'bigint', (column) => column.notNull())
      .addColumn('groups', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('sent_bound_key', ['service', 'ssrc'])
      .modifyEnd(withoutRowid)
      .execute();
  },
};
