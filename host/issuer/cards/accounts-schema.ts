import type { DatabaseSync } from 'node:sqlite';

const FIRST = `
  CREATE TABLE issuer (id INTEGER NOT NULL) STRICT;
  CREATE TABLE card (
    id BLOB PRIMARY KEY, class TEXT NOT NULL, serial INTEGER NOT NULL, currency INTEGER NOT NULL,
    maximum INTEGER NOT NULL, issued_at INTEGER NOT NULL, spent INTEGER NOT NULL DEFAULT 0, torn INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE load_order (
    card BLOB NOT NULL REFERENCES card, number INTEGER NOT NULL, load_id BLOB NOT NULL, asked INTEGER NOT NULL,
    refund INTEGER NOT NULL, signed_at INTEGER NOT NULL, proved INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (card, number)
  ) STRICT;
  CREATE TABLE receipt (
    card BLOB NOT NULL REFERENCES card, number INTEGER NOT NULL, amount INTEGER NOT NULL, torn INTEGER NOT NULL,
    octets BLOB NOT NULL, PRIMARY KEY (card, number)
  ) STRICT;
`;

/** Orders that set the credit limit, limits of the card, receipts that a card has proved to have written, cards that are not trusted any more. */
const SECOND = `
  ALTER TABLE load_order ADD COLUMN kind TEXT NOT NULL DEFAULT 'load';
  ALTER TABLE card ADD COLUMN limits BLOB;
  ALTER TABLE card ADD COLUMN receipts INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE card ADD COLUMN withdrawn INTEGER NOT NULL DEFAULT 0;
`;

/** Cards that were not given their keys yet; those of earlier versions all were, as far as anybody knows. */
const THIRD = 'ALTER TABLE card ADD COLUMN keyed INTEGER NOT NULL DEFAULT 1;';

/** What each version adds to the one before it; accounts of an earlier one are brought up to date. */
const VERSIONS: readonly string[] = [FIRST, SECOND, THIRD];
const VERSION = VERSIONS.length;
const STAMP = `PRAGMA user_version = ${VERSION};`;

/** Makes the tables of empty accounts. */
export function createTables(database: DatabaseSync): void {
  database.exec(`BEGIN; ${VERSIONS.join(' ')} ${STAMP} COMMIT`);
}

/** Brings accounts of an earlier version up to date, all of it or nothing. @returns whether they are of this version now. */
export function upgradeTables(database: DatabaseSync): boolean {
  if (versionOf(database) === VERSION) return true;
  database.exec('BEGIN IMMEDIATE');
  try {
    // Another process may have done it while this one waited.
    const version = versionOf(database);
    if (version >= 1 && version < VERSION) database.exec(`${VERSIONS.slice(version).join(' ')} ${STAMP}`);
    database.exec('COMMIT');
  } catch (cause) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw cause;
  }
  return versionOf(database) === VERSION;
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
}
