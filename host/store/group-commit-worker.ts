import { closeSync, fdatasyncSync, fstatSync, openSync, writeSync } from 'node:fs';
import type { SQLInputValue, StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

/** Units of work that are committed together. */
export interface CommitOrder {
  readonly id: number;
  /** Statements that come for the first time; they are numbered from 0 on. */
  readonly statements: readonly string[];
  /**
   * The units one after the other, in one flat list, which is quick to hand over: how many changes a unit has, and for
   * each the number of its statement, how many values it has, and these.
   */
  readonly units: readonly SQLInputValue[];
}

/** What became of an order. Units that are not named are on disk. */
export interface CommitResult {
  readonly id: number;
  /** Units that changed nothing, by their place in the order, and why. */
  readonly failed: readonly { readonly unit: number; readonly message: string; readonly errcode: number | undefined }[];
}

/** ms that a transaction waits for another connection. */
const MAX_WAIT = 10_000;

/** A page that many groups write goes into the database once: so much of the log is gathered before. */
const CHECKPOINT_PAGES = 2_000;
/** Octets that a page takes in the log, with the header of its frame. */
const LOG_PAGE = 4096 + 24;

interface Unit {
  /** Where it starts in the flat list. */
  readonly at: number;
  /** Where the next one starts. */
  readonly end: number;
}

function serve(port: NonNullable<typeof parentPort>, path: string): void {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  const database = new DatabaseSync(path, { timeout: MAX_WAIT });
  // WAL with FULL: a commit is on disk before it is answered, at one fsync.
  database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on');
  database.exec(`pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  lengthenLog();
  const texts: string[] = [];
  const prepared: StatementSync[] = [];
  const begin = database.prepare('begin immediate');
  const commit = database.prepare('commit');
  port.on('message', (order: CommitOrder | 'close') => {
    if (order === 'close') {
      database.close();
      port.close();
      return;
    }
    port.postMessage(run(order));
  });

  /**
   * Gives the log its length beforehand. Where a commit writes over what is there, fdatasync has no metadata to write;
   * nobody else may write while it grows. SQLite takes zeros for the end of the log.
   */
  function lengthenLog(): void {
    database.exec('begin immediate');
    const log = openSync(`${path}-wal`, 'r+');
    try {
      const { size } = fstatSync(log);
      const missing = CHECKPOINT_PAGES * LOG_PAGE - size;
      if (missing > 0) writeSync(log, Buffer.alloc(missing), 0, missing, size);
      fdatasyncSync(log);
    } finally {
      closeSync(log);
      database.exec('commit');
    }
  }

  function run({ id, statements, units: values }: CommitOrder): CommitResult {
    const units = unitsOf(values);
    texts.push(...statements);
    try {
      commitUnits(units, values);
      return { id, failed: [] };
    } catch {
      // One of them failed: each by itself, so that it takes no other along.
      const failed = units.flatMap((unit, place) => {
        try {
          commitUnits([unit], values);
          return [];
        } catch (error) {
          const errcode = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
          return { unit: place, message: String(error), errcode: typeof errcode === 'number' ? errcode : undefined };
        }
      });
      return { id, failed };
    }
  }

  function commitUnits(units: readonly Unit[], values: readonly SQLInputValue[]): void {
    begin.run();
    try {
      for (const { at, end } of units) {
        for (let i = at + 1; i < end;) {
          const first = i + 2;
          i = first + Number(values[i + 1]);
          statementOf(Number(values[first - 2])).run(...values.slice(first, i));
        }
      }
      commit.run();
    } catch (error) {
      // SQLite has already rolled back after an error such as a full disk.
      if (database.isTransaction) database.exec('rollback');
      throw error;
    }
  }

  function statementOf(number: number): StatementSync {
    return (prepared[number] ??= database.prepare(texts[number]!));
  }
}

function unitsOf(values: readonly SQLInputValue[]): Unit[] {
  const units: Unit[] = [];
  for (let at = 0; at < values.length;) {
    let end = at + 1;
    for (let changes = Number(values[at]); changes > 0; changes--) end += 2 + Number(values[end + 1]);
    units.push({ at, end });
    at = end;
  }
  return units;
}

if (parentPort !== null && typeof workerData === 'string') serve(parentPort, workerData);
