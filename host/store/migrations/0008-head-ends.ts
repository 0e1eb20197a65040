import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** The head-ends that number grants of these cards too. */
export const headEnds: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema
      .createTable('head_end')
      .ifNotExists()
      .addColumn('state', 'text', (column) => column.primaryKey())
      .execute();
  },
};
