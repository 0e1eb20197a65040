import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import {
  CompiledQuery,
  type CreateTableNode,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type DataTypeNode,
  type Dialect,
  type Driver,
  type Kysely,
  type QueryCompiler,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { OutOfRangeError } from '../../apdu/errors.ts';
import { waitWhileBusy } from './busy.ts';

/**
 * Kysely over node:sqlite. Every integer is read as a bigint, and a number is bound as an integer, so that no amount
 * passes through floating point. A committed transaction is on disk. Other processes may use the same file.
 */
export class NodeSqliteDialect implements Dialect {
  readonly #open: () => DatabaseSync;
  readonly #maxWait: number;

  /**
   * @param open is called with the first query; its database must not wait by itself (`timeout: 0`).
   * @param maxWait ms that a query waits while another process holds the file.
   */
  constructor(open: () => DatabaseSync, maxWait = 10_000) {
    this.#open = open;
    this.#maxWait = maxWait;
  }

  createDriver(): Driver {
    return new NodeSqliteDriver(this.#open, this.#maxWait);
  }

  createQueryCompiler(): QueryCompiler {
    return new StrictQueryCompiler();
  }

  createAdapter(): SqliteAdapter {
    return new TransactionalAdapter();
  }

  createIntrospector(database: Kysely<unknown>): DatabaseIntrospector {
    return new SqliteIntrospector(database);
  }
}

/** Kysely's own adapter denies it, though SQLite rolls back a CREATE TABLE like any other change. */
export class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/** Makes tables STRICT, and lets migrations use the names of types that PostgreSQL has too. */
export class StrictQueryCompiler extends SqliteQueryCompiler {
  protected override visitCreateTable(node: CreateTableNode): void {
    super.visitCreateTable(node);
    this.append(' strict');
  }

  protected override visitDataType({ dataType }: DataTypeNode): void {
    if (dataType === 'bigint' || dataType === 'boolean') this.append('integer');
    else if (dataType === 'bytea') this.append('blob');
    else if (dataType.startsWith('varchar')) this.append('text');
    else this.append(dataType);
  }
}

class NodeSqliteDriver implements Driver {
  readonly #open: () => DatabaseSync;
  readonly #maxWait: number;
  #database: DatabaseSync | undefined;
  #connection: NodeSqliteConnection | undefined;

  constructor(open: () => DatabaseSync, maxWait: number) {
    this.#open = open;
    this.#maxWait = maxWait;
  }

  async init(): Promise<void> {
    const database = this.#open();
    this.#database = database;
    this.#connection = new NodeSqliteConnection(database, this.#maxWait);
    try {
      await this.#run('pragma journal_mode = delete');
      // EXTRA: the directory too is synchronised, so that no power cut brings a rolled back transaction to life again.
      await this.#run('pragma synchronous = extra');
      await this.#run('pragma foreign_keys = on');
    } catch (error) {
      // Kysely does not destroy what was not initialised.
      database.close();
      throw error;
    }
  }

  /** Kysely gives the connection to one caller at a time. */
  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connected();
  }

  /** IMMEDIATE: what the transaction reads stays true until it commits. */
  beginTransaction(): Promise<void> {
    return this.#run('begin immediate');
  }

  commitTransaction(): Promise<void> {
    return this.#run('commit');
  }

  async rollbackTransaction(): Promise<void> {
    // SQLite has already rolled back after an error such as a full disk.
    if (this.#database?.isTransaction === true) await this.#run('rollback');
  }

  async releaseConnection(): Promise<void> {
    // There is one connection, and it lasts.
  }

  async destroy(): Promise<void> {
    this.#database?.close();
  }

  async #run(sql: string): Promise<void> {
    await this.#connected().executeQuery(CompiledQuery.raw(sql));
  }

  #connected(): NodeSqliteConnection {
    if (this.#connection === undefined) throw new Error('the driver has not been initialised');
    return this.#connection;
  }
}

class NodeSqliteConnection implements DatabaseConnection {
  readonly #database: DatabaseSync;
  readonly #maxWait: number;

  constructor(database: DatabaseSync, maxWait: number) {
    this.#database = database;
    this.#maxWait = maxWait;
  }

  executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const values = parameters.map(toSqlValue);
    return waitWhileBusy(this.#maxWait, () => {
      const statement = this.#database.prepare(sql);
      statement.setReadBigInts(true);
      // Kysely tells its caller what a row is; no driver can know.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      if (statement.columns().length > 0) return { rows: statement.all(...values) as R[] };
      return { rows: [], numAffectedRows: BigInt(statement.run(...values).changes) };
    });
  }

  /** All rows in one piece. */
  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query);
  }
}

/** @throws OutOfRangeError for what SQLite would store as floating point, or not at all. */
export function toSqlValue(value: unknown): SQLInputValue {
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (value === null || typeof value === 'string' || typeof value === 'bigint' || value instanceof Uint8Array) {
    return value;
  }
  throw new OutOfRangeError(
    `a store holds whole numbers, text and octets, not ${typeof value === 'number' ? value : typeof value}`,
  );
}
