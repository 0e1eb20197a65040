import type { SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

/** A statement for the worker. */
export interface WorkerQuery {
  readonly id: number;
  readonly sql: string;
  readonly values: readonly SQLInputValue[];
}

/** What the worker answers, in the order of the statements. */
export type WorkerAnswer = { readonly id: number } & (
  | { readonly rows: readonly Record<string, SQLOutputValue>[]; readonly changes: bigint | undefined }
  | { readonly message: string; readonly errcode: number | undefined }
);

/** Prepared statements that are kept. */
const MAX_PREPARED = 200;
/** ms that a statement waits for another process. */
const MAX_WAIT = 10_000;

/** Runs statements on a database in a thread of its own, where no fsync stalls the pacing of a sender. */
function serve(port: NonNullable<typeof parentPort>, path: string): void {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  const database = new DatabaseSync(path, { timeout: MAX_WAIT });
  // WAL with FULL: a commit is on disk before it is answered, at one fsync.
  database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on');
  const prepared = new Map<string, StatementSync>();
  port.on('message', (query: WorkerQuery | 'close') => {
    if (query === 'close') {
      database.close();
      port.close();
      return;
    }
    port.postMessage(run(query));
  });

  function run({ id, sql, values }: WorkerQuery): WorkerAnswer {
    try {
      const statement = prepare(sql);
      if (statement.columns().length > 0) return { id, rows: statement.all(...values), changes: undefined };
      return { id, rows: [], changes: BigInt(statement.run(...values).changes) };
    } catch (error) {
      const errcode = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
      return { id, message: String(error), errcode: typeof errcode === 'number' ? errcode : undefined };
    }
  }

  function prepare(sql: string): StatementSync {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    const statement = database.prepare(sql);
    statement.setReadBigInts(true);
    if (prepared.size >= MAX_PREPARED) prepared.clear();
    prepared.set(sql, statement);
    return statement;
  }
}

if (parentPort !== null && typeof workerData === 'string') serve(parentPort, workerData);
