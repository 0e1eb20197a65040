import type { ColumnDefinitionBuilderCallback, Kysely } from 'kysely';

/** Adds a column, unless the table has it. */
export async function addColumn(
  database: Kysely<unknown>,
  table: string,
  column: string,
  type: 'bigint' | 'boolean' | 'bytea' | 'text',
  define: ColumnDefinitionBuilderCallback = (definition) => definition,
): Promise<void> {
  if (await hasColumn(database, table, column)) return;
  await database.schema.alterTable(table).addColumn(column, type, define).execute();
}

/** Renames a column, unless that was done before. */
export async function renameColumn(database: Kysely<unknown>, table: string, from: string, to: string): Promise<void> {
  if (await hasColumn(database, table, to)) return;
  await database.schema.alterTable(table).renameColumn(from, to).execute();
}

async function hasColumn(database: Kysely<unknown>, table: string, column: string): Promise<boolean> {
  const tables = await database.introspection.getTables();
  return tables.some(({ name, columns }) => name === table && columns.some((known) => known.name === column));
}
