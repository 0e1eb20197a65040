import { formatCardId } from '../../../../apdu/decode-module/card-id.ts';
import { fromHex } from '../../../../apdu/octets.ts';
import type { HeadendStore } from '../../../store/headend/headend-store.ts';
import type { CardUserTable } from '../../../store/headend/tables/user-tables.ts';

/** Who used which card and when. Cards are named as in the ledger; a card that nobody had at a time is its own user. */
export class CardUsers {
  readonly #rows = new Map<string, Pick<CardUserTable, 'since' | 'until' | 'user'>[]>();

  static async read(store: HeadendStore): Promise<CardUsers> {
    return new CardUsers(await store.selectFrom('cardUser').selectAll().execute());
  }

  constructor(rows: readonly CardUserTable[]) {
    for (const { cardId, ...row } of rows) {
      const card = formatCardId(fromHex(cardId));
      const known = this.#rows.get(card);
      if (known === undefined) this.#rows.set(card, [row]);
      else known.push(row);
    }
  }

  /** @param at seconds since 1970. */
  userOf(card: string, at: number): string {
    const row = this.#rows.get(card)?.find(({ since, until }) => since <= at && (until === null || at < until));
    return row?.user ?? card;
  }

  /** All that used it at any time, the card itself among them. */
  usersOf(card: string): readonly string[] {
    return [...new Set([card, ...(this.#rows.get(card) ?? []).map(({ user }) => user)])];
  }
}
