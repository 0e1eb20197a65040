import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** How far the log of requests is billed, where a service is billed from it alone. */
export const logBilling: Migration = {
  async up(database: Kysely<unknown>) {
    const { schema } = database;
    const withoutRowid = sql`without rowid,`;
    await schema
      .createTable('billed_segment')
      .addColumn('service', 'bigint', (column) => column.notNull())
      .addColumn('segment', 'bigint', (column) => column.notNull())
      .addColumn('billed_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('billed_segment_key', ['service', 'segment'])
      .modifyEnd(withoutRowid)
      .execute();
    await schema
      .createTable('log_mark')
      .addColumn('id', 'integer', (column) => column.primaryKey().check(sql`id = 1`))
      .addColumn('log_id', 'bigint', (column) => column.notNull())
      .execute();
    // Rows of other services cost nothing more: they are not in it.
    await sql`create index request_log_sold on request_log (service, segment_id, card_id) where outcome = 'sold'`.execute(
      database,
    );
  },
};
