import { type RawBuilder, sql } from 'kysely';

/** What stands for a note of an operator that was erased. */
export const ERASED_NOTE = 'erased';

/**
 * The document of an invoice under another account and without notes, as SQL. Nothing else of it is changed.
 * @param table or alias that has the column `document`.
 */
export function erasedDocument(table: string, account: RawBuilder<unknown>): RawBuilder<string> {
  const document = sql.raw(`${table}.document`);
  const note = sql`case when line.value ->> '$.note' is null then null else ${sql.lit(ERASED_NOTE)} end`;
  return sql<string>`json_set(${document}, '$.account', ${account}, '$.lines', json((
    select json_group_array(json_set(line.value, '$.note', ${note})) from json_each(${document}, '$.lines') as line)))`;
}
