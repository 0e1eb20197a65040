import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Charging entries and bills have all components of a price, and no longer the first one alone. */
export const components: Migration = {
  async up(database: Kysely<unknown>) {
    const written = sql`json_object('part', 'content', 'payer', 'user', 'settlement', settlement, 'kind', tariff,
      'price', cast(price as text)`;
    await sql`alter table charging_entry add column terms text not null default '[]'`.execute(database);
    await sql`update charging_entry set terms = json_array(${written})) where tariff <> 'free'`.execute(database);
    await sql`alter table bill add column items text not null default '[]'`.execute(database);
    await sql`update bill set items = json_array(${written}, 'charge', cast(charge as text)))
      where tariff <> 'free'`.execute(database);
    for (const table of ['charging_entry', 'bill']) {
      for (const column of ['tariff', 'price', 'settlement']) {
        await sql`alter table ${sql.table(table)} drop column ${sql.ref(column)}`.execute(database);
      }
    }
  },
};
