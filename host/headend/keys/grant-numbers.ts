import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { IssuerError } from '../../issuer/issuer-error.ts';

/**
 * Numbers the grants of cards. A card has one window of 32 numbers for the grants of all services and senders
 * (protocol 4.4 step 4), so its numbers rise by one.
 */
export interface GrantNumbers {
  /**
   * Takes the number of the next grant of each card.
   * @param cards card ids, 8 octets each.
   * @param now seconds since 1970.
   * @returns a u32 for each card, in their order. They are on disk when this resolves, and nobody else gets them.
   * @throws IssuerError `GRANT_NUMBERS` when they cannot be kept.
   */
  take(cards: readonly Uint8Array[], now: number): Promise<readonly number[]>;
}

const FILE = 'grants.db';

/**
 * Grant numbers in a file of their own, which is made when it is not there. The first number of a card is the present
 * second: a store that has lost its file goes on above what it gave before.
 * @param directory the issuer store; one that holds nothing but a master will do.
 */
export function storedGrantNumbers(directory: string): GrantNumbers {
  return {
    async take(cards, now) {
      if (cards.length === 0) return [];
      try {
        return takeNumbers(join(directory, FILE), cards, now);
      } catch (cause) {
        throw new IssuerError(
          'GRANT_NUMBERS',
          `the numbers of grants cannot be kept in ${join(directory, FILE)}; let this program write there, or delete ` +
            'the file if it is damaged',
          { cause },
        );
      }
    },
  };
}

function takeNumbers(path: string, cards: readonly Uint8Array[], now: number): number[] {
  // Only the owner may read it, as all of a store.
  closeSync(openSync(path, 'a', 0o600));
  // Asked for only now: an older Node does not have it, and is told so by the entry (apdu/require-node.ts).
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  using database = new DatabaseSync(path, { timeout: 10_000 });
  // Closing without COMMIT takes all of it back.
  database.exec('PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA; BEGIN IMMEDIATE');
  database.exec('CREATE TABLE IF NOT EXISTS last_grant (card BLOB PRIMARY KEY, number INTEGER NOT NULL) STRICT');
  const take = database.prepare(
    'INSERT INTO last_grant VALUES (?, ?) ON CONFLICT (card) DO UPDATE SET number = number + 1 RETURNING number',
  );
  const taken = cards.map((cardId) => Number(take.get(cardId, now)?.['number']));
  database.exec('COMMIT');
  return taken;
}
