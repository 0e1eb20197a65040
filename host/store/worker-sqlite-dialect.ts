import { extname } from 'node:path';
import type { SQLInputValue } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import {
  CompiledQuery,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  type Driver,
  type Kysely,
  type QueryCompiler,
  type QueryResult,
  type SqliteAdapter,
  SqliteIntrospector,
} from 'kysely';
import { toSqlValue, StrictQueryCompiler, TransactionalAdapter } from './node-sqlite-dialect.ts';
import type { WorkerAnswer, WorkerQuery } from './sqlite-worker.ts';

/**
 * Kysely over node:sqlite in a worker thread: an fsync stalls nobody but who waits for it. WAL, and every committed
 * transaction is on disk. Other processes may use the same file.
 */
export class WorkerSqliteDialect implements Dialect {
  readonly #path: string;

  /** @param path of the database, made when it is not there. */
  constructor(path: string) {
    this.#path = path;
  }

  createDriver(): Driver {
    return new WorkerSqliteDriver(this.#path);
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

interface Waiting {
  readonly resolve: (answer: WorkerAnswer) => void;
  readonly reject: (reason: Error) => void;
}

class WorkerSqliteDriver implements Driver, DatabaseConnection {
  readonly #path: string;
  #worker: Worker | undefined;
  #lastId = 0;
  #failure: Error | undefined;
  readonly #waiting = new Map<number, Waiting>();

  constructor(path: string) {
    this.#path = path;
  }

  async init(): Promise<void> {
    // In a checkout this module is TypeScript, installed it is JavaScript, and so is the worker's.
    const script = new URL(`./sqlite-worker${extname(import.meta.url)}`, import.meta.url);
    const worker = new Worker(script, { workerData: this.#path });
    worker.on('message', (answer: WorkerAnswer) => {
      this.#waiting.get(answer.id)?.resolve(answer);
      this.#waiting.delete(answer.id);
    });
    worker.on('error', (error: Error) => this.#fail(error));
    worker.on('exit', () => this.#fail(new Error('the thread of the database ended')));
    this.#worker = worker;
  }

  /** Kysely gives the connection to one caller at a time. */
  async acquireConnection(): Promise<DatabaseConnection> {
    return this;
  }

  /** IMMEDIATE: what the transaction reads stays true until it commits. */
  async beginTransaction(): Promise<void> {
    await this.executeQuery(CompiledQuery.raw('begin immediate'));
  }

  async commitTransaction(): Promise<void> {
    await this.executeQuery(CompiledQuery.raw('commit'));
  }

  async rollbackTransaction(): Promise<void> {
    try {
      await this.executeQuery(CompiledQuery.raw('rollback'));
    } catch (error) {
      // SQLite has already rolled back after an error such as a full disk.
      if (!(error instanceof Error && /no transaction is active/.test(error.message))) throw error;
    }
  }

  async releaseConnection(): Promise<void> {
    // There is one connection, and it lasts.
  }

  async destroy(): Promise<void> {
    const worker = this.#worker;
    // A thread that has failed has ended, or does so by itself.
    if (worker === undefined || this.#failure !== undefined) return;
    const ended = new Promise<void>((resolve) => void worker.once('exit', () => resolve()));
    worker.postMessage('close');
    await ended;
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const answer = await this.#ask(sql, parameters.map(toSqlValue));
    if ('message' in answer) {
      const { message, errcode } = answer;
      throw Object.assign(new Error(message), errcode === undefined ? {} : { errcode });
    }
    return {
      // Kysely tells its caller what a row is; no driver can know.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      rows: answer.rows as R[],
      ...(answer.changes !== undefined && { numAffectedRows: answer.changes }),
    };
  }

  /** All rows in one piece. */
  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query);
  }

  #ask(sql: string, values: readonly SQLInputValue[]): Promise<WorkerAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) throw this.#failure;
      const query: WorkerQuery = { id: ++this.#lastId, sql, values };
      this.#waiting.set(query.id, { resolve, reject });
      this.#worker?.postMessage(query);
    });
  }

  #fail(reason: Error): void {
    this.#failure ??= reason;
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}
