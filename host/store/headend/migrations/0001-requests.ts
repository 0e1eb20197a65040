import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Requests, members, charging entries and bills. */
export const requests: Migration = {
  async up(database: Kysely<unknown>) {
    const { schema } = database;
    // Tables that grow with every request are written at their end alone: a group of commits then fills few pages.
    // Rows that are found by a key of their own need no second one; STRICT follows the comma.
    const withoutRowid = sql`without rowid,`;
    await schema
      .createTable('request_log')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('card_id', 'text', (column) => column.notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('service', 'bigint', (column) => column.notNull())
      .addColumn('session', 'text')
      .addColumn('segment_id', 'bigint')
      .addColumn('time_from', 'bigint', (column) => column.notNull())
      .addColumn('time_to', 'bigint')
      .addColumn('request_id', 'text')
      .addColumn('outcome', 'text', (column) => column.notNull())
      .execute();
    await schema
      .createTable('answered_request')
      .addColumn('log_id', 'integer', (column) => column.primaryKey())
      .addColumn('card_id', 'text', (column) => column.notNull())
      .addColumn('request_id', 'text', (column) => column.notNull())
      .addColumn('tag', 'text', (column) => column.notNull())
      .addColumn('time_from', 'bigint', (column) => column.notNull())
      .addColumn('reply', 'text', (column) => column.notNull())
      .execute();
    await schema
      .createTable('card_number')
      .addColumn('card_id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('last_number', 'bigint', (column) => column.notNull())
      .modifyEnd(withoutRowid)
      .execute();
    await schema
      .createTable('member')
      .addColumn('entry_id', 'integer', (column) => column.primaryKey())
      .addColumn('card_id', 'text', (column) => column.notNull())
      .addColumn('session', 'text', (column) => column.notNull())
      .addColumn('service', 'bigint', (column) => column.notNull())
      .addColumn('session_hash', 'text', (column) => column.notNull())
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('time_from', 'bigint', (column) => column.notNull())
      .addColumn('time_to', 'bigint', (column) => column.notNull())
      .addColumn('number', 'bigint', (column) => column.notNull())
      .addColumn('is_confirmed', 'boolean', (column) => column.notNull())
      .addColumn('confirm_by', 'bigint')
      .addColumn('keep_alive', 'bigint')
      .addColumn('alive_until', 'bigint')
      .execute();
    await schema
      .createTable('charging_entry')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('user', 'text', (column) => column.notNull())
      .addColumn('session', 'text', (column) => column.notNull())
      .addColumn('service', 'bigint', (column) => column.notNull())
      .addColumn('tariff', 'text', (column) => column.notNull())
      .addColumn('price', 'bigint', (column) => column.notNull())
      .addColumn('currency', 'bigint')
      .addColumn('settlement', 'text', (column) => column.notNull())
      .addColumn('parts', 'text', (column) => column.notNull())
      .addColumn('first_reading', 'bigint')
      .addColumn('last_reading', 'bigint')
      .addColumn('closed_at', 'bigint')
      .execute();
    await schema
      .createTable('bill')
      .addColumn('entry_id', 'integer', (column) => column.primaryKey())
      .addColumn('user', 'text', (column) => column.notNull())
      .addColumn('session', 'text', (column) => column.notNull())
      .addColumn('service', 'bigint', (column) => column.notNull())
      .addColumn('time_from', 'bigint', (column) => column.notNull())
      .addColumn('time_to', 'bigint', (column) => column.notNull())
      .addColumn('seconds', 'bigint', (column) => column.notNull())
      .addColumn('octets', 'bigint', (column) => column.notNull())
      .addColumn('tariff', 'text', (column) => column.notNull())
      .addColumn('price', 'bigint', (column) => column.notNull())
      .addColumn('currency', 'bigint')
      .addColumn('settlement', 'text', (column) => column.notNull())
      .addColumn('charge', 'bigint', (column) => column.notNull())
      .addColumn('amount', 'bigint', (column) => column.notNull())
      .addColumn('is_closed', 'boolean', (column) => column.notNull())
      .execute();
    await schema
      .createTable('blocked_card')
      .addColumn('card_id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .modifyEnd(withoutRowid)
      .execute();
    await schema
      .createTable('card_user')
      .addColumn('card_id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('user', 'text', (column) => column.notNull())
      .modifyEnd(withoutRowid)
      .execute();
  },
};
