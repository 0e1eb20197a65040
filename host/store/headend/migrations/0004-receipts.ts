import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Receipts of cards, and what looks like fraud. */
export const receipts: Migration = {
  async up(database: Kysely<unknown>) {
    const { schema } = database;
    const withoutRowid = sql`without rowid,`;
    await schema
      .createTable('receipt')
      .addColumn('card_id', 'text', (column) => column.notNull())
      .addColumn('number', 'bigint', (column) => column.notNull())
      .addColumn('service', 'bigint', (column) => column.notNull())
      .addColumn('first_segment', 'bigint', (column) => column.notNull())
      .addColumn('last_segment', 'bigint', (column) => column.notNull())
      .addColumn('octets', 'bigint', (column) => column.notNull())
      .addColumn('duration', 'bigint', (column) => column.notNull())
      .addColumn('groups', 'bigint', (column) => column.notNull())
      .addColumn('time_from', 'bigint', (column) => column.notNull())
      .addColumn('time_to', 'bigint', (column) => column.notNull())
      .addColumn('amount', 'bigint', (column) => column.notNull())
      .addColumn('torn', 'bigint', (column) => column.notNull())
      .addColumn('loaded', 'bigint', (column) => column.notNull())
      .addColumn('spent', 'bigint', (column) => column.notNull())
      .addColumn('currency', 'bigint', (column) => column.notNull())
      .addColumn('is_torn', 'boolean', (column) => column.notNull())
      .addColumn('taken_at', 'bigint', (column) => column.notNull())
      .addColumn('message', 'bytea', (column) => column.notNull())
      .addPrimaryKeyConstraint('receipt_key', ['card_id', 'number'])
      .modifyEnd(withoutRowid)
      .execute();
    await schema.createIndex('receipt_by_time').on('receipt').columns(['service', 'time_to']).execute();
    await schema
      .createTable('suspicion')
      .addColumn('card_id', 'text', (column) => column.notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('number', 'bigint', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('reason', 'text', (column) => column.notNull())
      .addColumn('message', 'bytea')
      .addPrimaryKeyConstraint('suspicion_key', ['card_id', 'kind', 'number'])
      .modifyEnd(withoutRowid)
      .execute();
  },
};
