import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { ERASED_NOTE } from '../erased-document.ts';

/** A dispute stays as it was entered, but for the words of one whose user is erased. */
export const erasedDisputes: Migration = {
  async up(database: Kysely<unknown>) {
    await letWordsBeErased(database, 'dispute', 'reason', ['id', 'entry_id', 'opened_at', 'opened_by']);
    const ruling = ['dispute_id', 'ruling', 'ruled_at', 'ruled_by', 'given_by'];
    await letWordsBeErased(database, 'dispute_ruling', 'ruling_note', ruling);
  },
};

async function letWordsBeErased(
  database: Kysely<unknown>,
  table: string,
  words: string,
  others: readonly string[],
): Promise<void> {
  const trigger = sql.raw(`${table}_no_update`);
  const stay = sql.join(
    others.map((column) => sql`new.${sql.ref(column)} is old.${sql.ref(column)}`),
    sql` and `,
  );
  await sql`drop trigger ${trigger}`.execute(database);
  await sql`create trigger ${trigger} before update on ${sql.table(table)}
    when not (exists (select 1 from erasing) and new.${sql.ref(words)} = ${sql.lit(ERASED_NOTE)} and ${stay})
    begin select raise(abort, 'a dispute stays as it was entered'); end`.execute(database);
}
