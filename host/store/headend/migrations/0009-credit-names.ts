import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** What an operator calls a grant, so that the same again is the same. */
export const creditNames: Migration = {
  async up(database: Kysely<unknown>) {
    const { schema } = database;
    await schema.alterTable('credit').addColumn('name', 'text').execute();
    await schema.createIndex('credit_by_name').unique().on('credit').column('name').execute();
  },
};
