import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Up to when the sender's journal was shortened. */
export const sentForgotten: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema
      .createTable('sent_forgotten')
      .addColumn('id', 'integer', (column) => column.primaryKey().check(sql`id = 1`))
      .addColumn('before', 'bigint', (column) => column.notNull())
      .addColumn('forgotten_at', 'bigint', (column) => column.notNull())
      .execute();
  },
};
