import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** The tables of the first version. */
export const accounts: Migration = {
  async up(database: Kysely<unknown>) {
    const { schema } = database;
    await schema
      .createTable('issuer')
      .ifNotExists()
      .addColumn('id', 'bigint', (column) => column.notNull())
      .execute();
    await schema
      .createTable('card')
      .ifNotExists()
      .addColumn('id', 'bytea', (column) => column.primaryKey())
      .addColumn('class', 'text', (column) => column.notNull())
      .addColumn('serial', 'bigint', (column) => column.notNull())
      .addColumn('currency', 'bigint', (column) => column.notNull())
      .addColumn('maximum', 'bigint', (column) => column.notNull())
      .addColumn('issued_at', 'bigint', (column) => column.notNull())
      .addColumn('spent', 'bigint', (column) => column.notNull().defaultTo(0))
      .addColumn('torn', 'bigint', (column) => column.notNull().defaultTo(0))
      .execute();
    await schema
      .createTable('load_order')
      .ifNotExists()
      .addColumn('card', 'bytea', (column) => column.notNull().references('card.id'))
      .addColumn('number', 'bigint', (column) => column.notNull())
      .addColumn('load_id', 'bytea', (column) => column.notNull())
      .addColumn('asked', 'bigint', (column) => column.notNull())
      .addColumn('refund', 'bigint', (column) => column.notNull())
      .addColumn('signed_at', 'bigint', (column) => column.notNull())
      .addColumn('proved', 'boolean', (column) => column.notNull().defaultTo(false))
      .addPrimaryKeyConstraint('load_order_key', ['card', 'number'])
      .execute();
    await schema
      .createTable('receipt')
      .ifNotExists()
      .addColumn('card', 'bytea', (column) => column.notNull().references('card.id'))
      .addColumn('number', 'bigint', (column) => column.notNull())
      .addColumn('amount', 'bigint', (column) => column.notNull())
      .addColumn('torn', 'bigint', (column) => column.notNull())
      .addColumn('octets', 'bytea', (column) => column.notNull())
      .addPrimaryKeyConstraint('receipt_key', ['card', 'number'])
      .execute();
  },
};
