import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { addColumn } from './columns.ts';

/** Cards that were not given their keys yet; all cards of earlier versions were, as far as anybody knows. */
export const keyedCards: Migration = {
  async up(database: Kysely<unknown>) {
    await addColumn(database, 'card', 'keyed', 'boolean', (column) => column.notNull().defaultTo(true));
  },
};
