import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { OutOfRangeError } from '../../../apdu/errors.ts';
import { toHex } from '../../../apdu/octets.ts';
import { IssuerError } from '../../issuer/issuer-error.ts';

const FILE = 'grants.db';

/**
 * Takes the number of the next grant for each of some cards; `firmware-notes/protocol.md` 4.4 step 4. A card has one window of 32 numbers for
 * the grants of all services, so they rise by one. The first number of a card here is the present second: a store that has lost its file goes
 * on above what it gave before.
 * @param directory the issuer store; one that holds nothing but a master will do. Its file of numbers is made when it is not there.
 * @param now seconds since 1970.
 * @returns the number, u32, of each card id. On disk when this returns, and nobody else gets it.
 * @throws IssuerError `GRANT_NUMBERS` when they cannot be kept.
 */
export function takeGrantNumbers(
  directory: string,
  cards: readonly Uint8Array[],
  now: number,
): (cardId: Uint8Array) => number {
  const numbers = new Map<string, number>();
  if (cards.length > 0) {
    try {
      for (const [name, number] of takeNumbers(join(directory, FILE), cards, now)) numbers.set(name, number);
    } catch (cause) {
      throw new IssuerError(
        'GRANT_NUMBERS',
        `the numbers of grants cannot be kept in ${join(directory, FILE)}; let this program write there, or delete the file if it is damaged`,
        { cause },
      );
    }
  }
  return (cardId) => {
    const number = numbers.get(toHex(cardId));
    if (number === undefined) throw new OutOfRangeError('a number was taken for the cards named, and for no other');
    return number;
  };
}

function takeNumbers(path: string, cards: readonly Uint8Array[], now: number): [string, number][] {
  // For its owner alone, as all of a store.
  closeSync(openSync(path, 'a', 0o600));
  using database = new DatabaseSync(path, { timeout: 10_000 });
  // Closing without COMMIT takes all of it back.
  database.exec('PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA; BEGIN IMMEDIATE');
  database.exec('CREATE TABLE IF NOT EXISTS last_grant (card BLOB PRIMARY KEY, number INTEGER NOT NULL) STRICT');
  const take = database.prepare(
    'INSERT INTO last_grant VALUES (?, ?) ON CONFLICT (card) DO UPDATE SET number = number + 1 RETURNING number',
  );
  const taken = cards.map((cardId): [string, number] => [toHex(cardId), Number(take.get(cardId, now)?.['number'])]);
  database.exec('COMMIT');
  return taken;
}
