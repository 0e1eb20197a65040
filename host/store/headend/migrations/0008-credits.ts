import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** What was paid for loads that cards fetch: at the cash desk for a card, or by voucher for whoever has its code. */
export const credits: Migration = {
  async up(database: Kysely<unknown>) {
    const { schema } = database;
    await schema
      .createTable('credit')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('code_hash', 'bytea', (column) => column.unique())
      .addColumn('card_id', 'text')
      .addColumn('amount', 'bigint', (column) => column.notNull())
      .addColumn('currency', 'bigint', (column) => column.notNull())
      .addColumn('made_at', 'bigint', (column) => column.notNull())
      .addColumn('made_by', 'text', (column) => column.notNull())
      .addColumn('claim_key', 'text')
      .addColumn('load_id', 'bytea')
      .addColumn('claimed_at', 'bigint')
      .addColumn('is_settled', 'boolean', (column) => column.notNull())
      .execute();
    await schema.createIndex('credit_by_card').on('credit').columns(['card_id', 'is_settled']).execute();
  },
};
