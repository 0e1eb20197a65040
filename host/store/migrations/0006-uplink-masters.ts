import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { addColumn } from './columns.ts';

/** Which master a card's uplink key comes from. The cards that there are keep theirs, which is of the unique master. */
export const uplinkMasters: Migration = {
  async up(database: Kysely<unknown>) {
    await addColumn(database, 'card', 'uplink_master', 'text', (column) => column.notNull().defaultTo('unique'));
  },
};
