import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { addColumn } from './columns.ts';

/** Orders that set the credit limit; limits of a card, receipts that it proved, and withdrawn cards. */
export const creditLimits: Migration = {
  async up(database: Kysely<unknown>) {
    await addColumn(database, 'load_order', 'kind', 'text', (column) => column.notNull().defaultTo('load'));
    await addColumn(database, 'card', 'limits', 'bytea');
    await addColumn(database, 'card', 'receipts', 'bigint', (column) => column.notNull().defaultTo(0));
    await addColumn(database, 'card', 'withdrawn', 'boolean', (column) => column.notNull().defaultTo(false));
  },
};
