import { existsSync } from 'node:fs';
import type { GivenNumber } from '../shared-numbers.ts';
import { headendDatabase } from './headend-store.ts';

const GIVEN = `select card_id as cardId, max(number) as number from
  (select card_id, last_number as number from card_number union all select card_id, number from member)`;

/**
 * Reads which numbers a head-end gave its cards last, also while it runs.
 * @param state directory of the head-end; one that is gone gave none.
 * @param cardId of one card alone, 8 octets in hexadecimal.
 */
export function readGivenNumbers(state: string, cardId?: string): GivenNumber[] {
  const path = headendDatabase(state);
  if (!existsSync(path)) return [];
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  const database = new DatabaseSync(path, { readOnly: true, timeout: MAX_WAIT });
  try {
    const rows =
      cardId === undefined
        ? database.prepare(`${GIVEN} group by card_id`).all()
        : database.prepare(`${GIVEN} where card_id = ? group by card_id`).all(cardId);
    return rows.map((row) => ({ cardId: String(row['cardId']), number: Number(row['number']) }));
  } finally {
    database.close();
  }
}

/** ms that it waits for who writes. */
const MAX_WAIT = 5000;
