import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** The number of each card's last grant, which had a file of its own before. */
export const grantNumbers: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema
      .createTable('grant_number')
      .ifNotExists()
      .addColumn('card_id', 'bytea', (column) => column.primaryKey())
      .addColumn('number', 'bigint', (column) => column.notNull())
      .execute();
  },
};
