import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Services, their sessions, keys and offers, and who changed them. */
export const services: Migration = {
  async up(database: Kysely<unknown>) {
    const { schema } = database;
    await schema
      .createTable('service')
      .addColumn('number', 'bigint', (column) => column.primaryKey())
      .addColumn('definition', 'text', (column) => column.notNull())
      .addColumn('configured', 'text')
      .addColumn('changed_at', 'bigint', (column) => column.notNull())
      .execute();
    await schema
      .createTable('session')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('service', 'bigint', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('origin', 'text', (column) => column.notNull().unique())
      .addUniqueConstraint('session_name', ['service', 'name'])
      .execute();
    await schema
      .createTable('key_counter')
      .addColumn('service', 'bigint', (column) => column.notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('next', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('key_counter_key', ['service', 'kind'])
      .execute();
    await schema
      .createTable('segment')
      .addColumn('service', 'bigint', (column) => column.notNull())
      .addColumn('key_id', 'bigint', (column) => column.notNull())
      .addColumn('session_id', 'bigint', (column) => column.notNull().references('session.id'))
      .addColumn('segment', 'bigint', (column) => column.notNull())
      .addColumn('valid_from', 'bigint', (column) => column.notNull())
      .addColumn('valid_to', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('segment_key', ['service', 'key_id'])
      .execute();
    await schema
      .createTable('shared_key')
      .addColumn('session_id', 'bigint', (column) => column.primaryKey().references('session.id'))
      .addColumn('key_id', 'bigint', (column) => column.notNull())
      .execute();
    await schema
      .createTable('session_meter')
      .addColumn('session', 'text', (column) => column.primaryKey())
      .addColumn('octets', 'bigint', (column) => column.notNull())
      .execute();
    await schema
      .createTable('operator')
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('token_hash', 'bytea', (column) => column.notNull())
      .addColumn('added_at', 'bigint', (column) => column.notNull())
      .execute();
    await schema
      .createTable('change')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('operator', 'text', (column) => column.notNull())
      .addColumn('action', 'text', (column) => column.notNull())
      .addColumn('subject', 'text', (column) => column.notNull())
      .addColumn('detail', 'text')
      .execute();
    await schema
      .createTable('offer')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('session_id', 'bigint', (column) => column.notNull().references('session.id'))
      .addColumn('octets', 'bytea', (column) => column.notNull())
      .addColumn('valid_from', 'bigint', (column) => column.notNull())
      .addColumn('valid_to', 'bigint', (column) => column.notNull())
      .execute();
    for (const table of ['segment', 'offer']) {
      await schema.createIndex(`${table}_by_time`).on(table).columns(['session_id', 'valid_to']).execute();
    }
  },
};
