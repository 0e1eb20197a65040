import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { fromHex } from '../../apdu/octets.ts';
import { ACCOUNTS_FILE } from './issuer-store.ts';
import { isSqliteError, SQLITE } from './sqlite-error.ts';

/** What the issuer's accounts say of cards, as they are at that moment. A look takes microseconds, and waits for nobody. */
export class IssuerStandings implements Disposable {
  readonly #database: DatabaseSync;
  readonly #find: StatementSync;
  readonly #findAny: StatementSync;

  /** @param directory of the issuer store, whose database is there. */
  static open(directory: string): IssuerStandings {
    const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
    return new IssuerStandings(new DatabaseSync(join(directory, ACCOUNTS_FILE), { readOnly: true, timeout: 0 }));
  }

  private constructor(database: DatabaseSync) {
    this.#database = database;
    this.#find = database.prepare('select withdrawn from card where card_id = ?');
    this.#findAny = database.prepare('select 1 from card limit 1');
  }

  /**
   * Where the store has no account at all, as with nothing but masters, every card is good that signs rightly.
   * @param cardId 8 octets, in hexadecimal.
   * @returns `unavailable` while the accounts are being written.
   */
  standingOf(cardId: string): 'good' | 'unknown' | 'blocked' | 'unavailable' {
    try {
      const row = this.#find.get(fromHex(cardId));
      if (row !== undefined) return Number(row['withdrawn']) === 0 ? 'good' : 'blocked';
      return this.#findAny.get() === undefined ? 'good' : 'unknown';
    } catch (cause) {
      if (isSqliteError(cause, SQLITE.BUSY)) return 'unavailable';
      throw cause;
    }
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}
