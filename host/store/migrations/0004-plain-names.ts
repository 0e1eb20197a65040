import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { renameColumn } from './columns.ts';

/** Columns are called what the program calls them. */
export const plainNames: Migration = {
  async up(database: Kysely<unknown>) {
    await renameColumn(database, 'card', 'id', 'card_id');
    await renameColumn(database, 'card', 'class', 'module_class');
    await renameColumn(database, 'card', 'maximum', 'maximum_balance');
    await renameColumn(database, 'load_order', 'card', 'card_id');
    await renameColumn(database, 'receipt', 'card', 'card_id');
  },
};
