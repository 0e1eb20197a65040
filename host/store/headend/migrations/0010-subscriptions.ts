import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Who owes a price per period whether it joins or not, and at what price it subscribed. */
export const subscriptions: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema
      .createTable('subscription')
      .addColumn('service', 'bigint', (column) => column.notNull())
      .addColumn('user', 'text', (column) => column.notNull())
      .addColumn('part', 'text', (column) => column.notNull())
      .addColumn('since', 'bigint', (column) => column.notNull())
      .addColumn('until', 'bigint')
      .addColumn('payer', 'text', (column) => column.notNull())
      .addColumn('seconds', 'bigint', (column) => column.notNull())
      .addColumn('price', 'bigint', (column) => column.notNull())
      .addColumn('currency', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('subscription_key', ['service', 'user', 'part', 'since'])
      .modifyEnd(sql`without rowid,`)
      .execute();
  },
};
