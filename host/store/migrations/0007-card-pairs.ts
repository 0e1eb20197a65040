import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** The public halves of the key pairs that cards have made. */
export const cardPairs: Migration = {
  async up(database: Kysely<unknown>) {
    const { schema } = database;
    await schema
      .createTable('card_pair')
      .ifNotExists()
      .addColumn('card_id', 'bytea', (column) => column.primaryKey().references('card.card_id'))
      .addColumn('public_key', 'bytea', (column) => column.notNull())
      .addColumn('made_at', 'bigint', (column) => column.notNull())
      .execute();
    await schema.createIndex('card_pair_by_time').ifNotExists().on('card_pair').column('made_at').execute();
  },
};
