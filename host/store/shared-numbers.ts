import { closeSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { isSqliteError, SQLITE } from './sqlite-error.ts';

/** ms that one process waits for another, which holds the file for some microseconds. */
const MAX_WAIT = 5000;

/** The number that a card was given last. */
export interface GivenNumber {
  /** 8 octets in hexadecimal. */
  readonly cardId: string;
  /** u32. */
  readonly number: number;
}

/**
 * The last number of each card, in a file that all programs of one issuer store have open at once. Nothing in it is
 * waited for on disk: every number is also in a database of whoever took it before its message leaves, and who opens
 * the file brings these in. So it may be lost with the power, or be deleted while no program runs.
 */
export class SharedNumbers implements Disposable {
  readonly #database: DatabaseSync;
  readonly #take: StatementSync;
  readonly #raise: StatementSync;

  /** @param directory of the issuer store. @throws what SQLite throws when nothing can be written there. */
  static open(directory: string): SharedNumbers {
    const path = join(directory, 'numbers.sqlite');
    closeSync(openSync(path, 'a', 0o600));
    try {
      return new SharedNumbers(path);
    } catch (error) {
      if (!isSqliteError(error, SQLITE.CORRUPT, SQLITE.NOTADB)) throw error;
      // The power failed while it was written. What counts is elsewhere.
      for (const end of ['', '-wal', '-shm']) rmSync(`${path}${end}`, { force: true });
      closeSync(openSync(path, 'a', 0o600));
      return new SharedNumbers(path);
    }
  }

  private constructor(path: string) {
    const { DatabaseSync: Database } = process.getBuiltinModule('node:sqlite');
    this.#database = new Database(path, { timeout: MAX_WAIT });
    try {
      this.#database.exec('pragma journal_mode = wal; pragma synchronous = off');
      this.#database.exec(
        'create table if not exists card_number (card_id text primary key not null, number integer not null) strict',
      );
      this.#take = this.#database.prepare(
        `insert into card_number (card_id, number) values (?, ?)
         on conflict (card_id) do update set number = max(number + 1, excluded.number) returning number`,
      );
      this.#raise = this.#database.prepare(
        `insert into card_number (card_id, number) values (?, ?)
         on conflict (card_id) do update set number = max(number, excluded.number)`,
      );
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /**
   * Takes the next number of a card. No other program gets it.
   * @param cardId 8 octets in hexadecimal.
   * @param atLeast the least that it may be.
   */
  take(cardId: string, atLeast: number): number {
    return Number(this.#take.get(cardId, atLeast)!['number']);
  }

  /** Sees to it that numbers which were given are not given again. */
  raise(given: Iterable<GivenNumber>): void {
    this.#database.exec('begin immediate');
    try {
      for (const { cardId, number } of given) this.#raise.run(cardId, number);
      this.#database.exec('commit');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('rollback');
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}
