import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Which entries of the ledger somebody disputes, and how that was ruled; what is written there stays. */
export const disputes: Migration = {
  async up(database: Kysely<unknown>) {
    const { schema } = database;
    await schema
      .createTable('dispute')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('entry_id', 'bigint', (column) => column.notNull().references('ledger_entry.id'))
      .addColumn('opened_at', 'bigint', (column) => column.notNull())
      .addColumn('opened_by', 'text', (column) => column.notNull())
      .addColumn('reason', 'text', (column) => column.notNull())
      .execute();
    await schema.createIndex('dispute_of_entry').on('dispute').columns(['entry_id', 'id']).execute();
    await schema
      .createTable('dispute_ruling')
      .addColumn('dispute_id', 'bigint', (column) => column.primaryKey().notNull().references('dispute.id'))
      .addColumn('ruling', 'text', (column) => column.notNull().check(sql`ruling in ('upheld', 'rejected')`))
      .addColumn('ruled_at', 'bigint', (column) => column.notNull())
      .addColumn('ruled_by', 'text', (column) => column.notNull())
      .addColumn('ruling_note', 'text', (column) => column.notNull())
      // What gives it back: an upheld one has an entry, and no other has.
      .addColumn('given_by', 'bigint', (column) => column.references('ledger_entry.id'))
      .addCheckConstraint('dispute_ruling_given', sql`(ruling = 'upheld') = (given_by is not null)`)
      .modifyEnd(sql`without rowid,`)
      .execute();
    await schema.createIndex('dispute_ruling_by_entry').on('dispute_ruling').columns(['given_by']).execute();
    for (const table of ['dispute', 'dispute_ruling']) {
      for (const change of ['update', 'delete']) {
        await sql`create trigger ${sql.raw(`${table}_no_${change}`)} before ${sql.raw(change)} on ${sql.table(table)}
          begin select raise(abort, 'a dispute stays as it was entered'); end`.execute(database);
      }
    }
    // One at a time; what was upheld is given back already.
    await sql`create trigger dispute_once before insert on dispute
      when exists (select 1 from dispute as other left join dispute_ruling as ruled on ruled.dispute_id = other.id
        where other.entry_id = new.entry_id and (ruled.ruling is null or ruled.ruling = 'upheld'))
      begin select raise(ignore); end`.execute(database);
  },
};
