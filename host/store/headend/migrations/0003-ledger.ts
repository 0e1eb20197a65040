import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** The ledger: what is written there stays, and every line of it has two sides. */
export const ledger: Migration = {
  async up(database: Kysely<unknown>) {
    const { schema } = database;
    const withoutRowid = sql`without rowid,`;
    await schema
      .createTable('ledger_entry')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('source', 'text', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('period', 'text', (column) => column.notNull())
      .addColumn('lines', 'bigint', (column) => column.notNull())
      .addColumn('note', 'text')
      .addUniqueConstraint('ledger_entry_of_event', ['kind', 'source'])
      .execute();
    await schema
      .createTable('ledger_posting')
      .addColumn('entry_id', 'bigint', (column) => column.notNull().references('ledger_entry.id'))
      .addColumn('line', 'bigint', (column) => column.notNull())
      .addColumn('debit', 'text', (column) => column.notNull())
      .addColumn('credit', 'text', (column) => column.notNull().check(sql`credit <> debit`))
      .addColumn('currency', 'bigint', (column) => column.notNull())
      .addColumn('amount', 'bigint', (column) => column.notNull().check(sql`amount > 0`))
      .addPrimaryKeyConstraint('ledger_posting_key', ['entry_id', 'line'])
      .modifyEnd(withoutRowid)
      .execute();
    await schema.createIndex('ledger_posting_by_debit').on('ledger_posting').columns(['debit', 'entry_id']).execute();
    await schema.createIndex('ledger_posting_by_credit').on('ledger_posting').columns(['credit', 'entry_id']).execute();
    await schema
      .createTable('ledger_close')
      .addColumn('period', 'text', (column) => column.primaryKey().notNull())
      .addColumn('open_from', 'text', (column) => column.notNull())
      .addColumn('closed_at', 'bigint', (column) => column.notNull())
      .modifyEnd(withoutRowid)
      .execute();
    for (const table of ['ledger_entry', 'ledger_posting', 'ledger_close']) {
      for (const change of ['update', 'delete']) {
        await sql`create trigger ${sql.raw(`${table}_no_${change}`)} before ${sql.raw(change)} on ${sql.table(table)}
          begin select raise(abort, 'what stands in the ledger stays; a correction is a further entry'); end`.execute(
          database,
        );
      }
    }
    await sql`create trigger ledger_entry_in_open_period before insert on ledger_entry
      when new.period < (select max(open_from) from ledger_close)
      begin select raise(abort, 'this period of the ledger is closed; a correction goes into an open one'); end`.execute(
      database,
    );
    // An event that comes again adds no line to its entry.
    await sql`create trigger ledger_posting_within_entry before insert on ledger_posting
      when new.line > (select lines from ledger_entry where id = new.entry_id)
      begin select raise(ignore); end`.execute(database);
  },
};
