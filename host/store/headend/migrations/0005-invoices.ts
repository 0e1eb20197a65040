import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Invoices and credit notes: numbered without gaps, and never changed. */
export const invoices: Migration = {
  async up(database: Kysely<unknown>) {
    const { schema } = database;
    await schema
      .createTable('invoice')
      .addColumn('number', 'integer', (column) => column.primaryKey())
      .addColumn('name', 'text', (column) => column.notNull().unique())
      .addColumn('account', 'text', (column) => column.notNull())
      .addColumn('period', 'text', (column) => column.notNull())
      .addColumn('currency', 'bigint', (column) => column.notNull())
      .addColumn('issued_at', 'bigint', (column) => column.notNull())
      .addColumn('corrects', 'bigint', (column) => column.references('invoice.number'))
      .addColumn('payable', 'bigint', (column) => column.notNull())
      .addColumn('carried', 'bigint', (column) => column.notNull())
      .addColumn('document', 'text', (column) => column.notNull())
      .execute();
    await schema.createIndex('invoice_by_account').on('invoice').columns(['account', 'number']).execute();
    await schema.createIndex('ledger_entry_by_period').on('ledger_entry').columns(['period', 'id']).execute();
    for (const change of ['update', 'delete']) {
      await sql`create trigger ${sql.raw(`invoice_no_${change}`)} before ${sql.raw(change)} on invoice
        begin select raise(abort, 'an invoice stays as it was issued; a credit note is a further one'); end`.execute(
        database,
      );
    }
    // The next number is the one that follows the last.
    await sql`create trigger invoice_without_gap before insert on invoice
      when new.number <> (select coalesce(max(number), 0) + 1 from invoice)
      begin select raise(abort, 'invoices are numbered without gaps'); end`.execute(database);
  },
};
