import { formatCardId, parseCardId } from '../../../../apdu/decode-module/card-id.ts';
import { InputError, TollcastError } from '../../../../apdu/errors.ts';
import { fromHex, toHex } from '../../../../apdu/octets.ts';
import type { Clock } from '../../../clock/clock.ts';
import { type HeadendStore, overwriteErased } from '../../../store/headend/headend-store.ts';
import type { UserTable } from '../../../store/headend/tables/user-tables.ts';
import { eraseUser, requireErasable } from './erase-user.ts';
import { type DataPage, readUserData } from './user-data.ts';
import { cardOfName, requireUserName } from './user-name.ts';

/** What is written down of a person; null where nothing is. */
export type Person = Pick<UserTable, 'person' | 'contact' | 'address'>;

/** A user, and the cards that it has now. */
export interface KeptUser extends Person {
  readonly name: string;
  readonly cards: readonly { readonly card: string; readonly since: number }[];
}

/** What says who uses a card: joins are charged by it. */
interface CardDesk {
  assignUser(cardId: Uint8Array, user?: string): Promise<void>;
  /** Charging entries that are not billed yet. */
  entries(): readonly { readonly user: string }[];
}

/** Octets of a database that is written anew at once. */
const MAX_AT_ONCE = 256_000_000;

const ACCOUNT = 'user:';

/** Who the users are, and which cards each has. A card that nobody was given is its own user. */
export class UserBook {
  readonly #store: HeadendStore;
  readonly #desk: CardDesk;
  readonly #clock: Clock;

  constructor(store: HeadendStore, desk: CardDesk, clock: Clock) {
    this.#store = store;
    this.#desk = desk;
    this.#clock = clock;
  }

  /** Users by their names; cards that are their own users are not among them. @param after this name. */
  async list(after: string, limit: number): Promise<readonly KeptUser[]> {
    const rows = await this.#store
      .selectFrom('user')
      .selectAll()
      .where('name', '>', after)
      .orderBy('name')
      .limit(limit)
      .execute();
    return Promise.all(rows.map((row) => this.#addCards(row)));
  }

  /** @returns undefined when nothing is known of the user. */
  async find(name: string): Promise<KeptUser | undefined> {
    const row = await this.#store.selectFrom('user').selectAll().where('name', '=', name).executeTakeFirst();
    if (row !== undefined) return this.#addCards(row);
    const card = cardOfName(name);
    if (card === undefined) return undefined;
    return this.#addCards({ name, person: null, contact: null, address: null });
  }

  /** Name and address as they stand on an invoice. @param account it is sent to. */
  async writeAddress(account: string): Promise<string | undefined> {
    if (!account.startsWith(ACCOUNT)) return undefined;
    const { person = null, address = null } = (await this.find(account.slice(ACCOUNT.length))) ?? {};
    const lines = [person, address].filter((text) => text !== null);
    return lines.length === 0 ? undefined : lines.join('\n');
  }

  /**
   * Writes down who a user is. @param person what is left out stays.
   * @throws InputError when no user can have this name.
   */
  async put(name: string, person: Partial<Person>): Promise<KeptUser> {
    requireUserName(name);
    const none = { person: null, contact: null, address: null };
    const values = { name, addedAt: this.#now(), ...none, ...person };
    await this.#store
      .insertInto('user')
      .values(values)
      .onConflict((conflict) =>
        Object.keys(person).length === 0
          ? conflict.column('name').doNothing()
          : conflict.column('name').doUpdateSet(person),
      )
      .execute();
    return (await this.find(name))!;
  }

  /**
   * Gives a user a card, from now on; the same again changes nothing.
   * @param cardId 8 octets.
   * @throws InputError when another user has it, or no user can have this name.
   */
  async join(name: string, cardId: Uint8Array): Promise<KeptUser> {
    requireUserName(name);
    const other = await this.#userOf(cardId);
    if (other !== undefined && other !== name) {
      throw new InputError(`card ${formatCardId(cardId)} is of another user; take it from that one first`);
    }
    await this.#desk.assignUser(cardId, name);
    return (await this.find(name))!;
  }

  /** Takes a card from a user: from now on it is its own. @throws InputError when the user has not this card. */
  async part(name: string, cardId: Uint8Array): Promise<void> {
    if ((await this.#userOf(cardId)) !== name) {
      throw new InputError(`${name} has no card ${formatCardId(cardId)}; list the cards of the user`);
    }
    await this.#desk.assignUser(cardId);
  }

  /**
   * Gives a card the user of another one, whose place it takes.
   * @throws InputError when it is of another user.
   */
  async succeed(cardId: Uint8Array, newCardId: Uint8Array): Promise<void> {
    await this.join((await this.#userOf(cardId)) ?? formatCardId(cardId), newCardId);
  }

  /** What is held about a user, a page of it. @throws InputError when there is no such page. */
  readData(name: string, after: string): Promise<DataPage> {
    return readUserData(this.#store, name, after);
  }

  /**
   * Erases who a user is, for good. Its cards are their own users from now on.
   * @param isArchived whether its invoices are kept elsewhere, as far as the law makes one.
   * @returns what stands for its name, and whether no octet of it is in the database any more.
   * @throws TollcastError `NOT_ERASABLE` with what to do first.
   */
  async erase(name: string, isArchived: boolean): Promise<{ pseudonym: string; isOverwritten: boolean }> {
    await requireErasable(this.#store, name, isArchived);
    if (cardOfName(name) === undefined) {
      const cards = (await this.find(name))?.cards ?? [];
      if (this.#desk.entries().some(({ user }) => user === name)) {
        throw new TollcastError(
          'NOT_ERASABLE',
          `${name} has a connection that is not billed yet; take its cards off the lists, or wait for its end`,
        );
      }
      // All at once, so that no join comes in between.
      await Promise.all(cards.map(({ card }) => this.#desk.assignUser(parseCardId(card))));
    }
    const pseudonym = await eraseUser(this.#store, name, this.#now());
    return { pseudonym, isOverwritten: await overwriteErased(this.#store, MAX_AT_ONCE) };
  }

  async #userOf(cardId: Uint8Array): Promise<string | undefined> {
    const row = await this.#store
      .selectFrom('cardUser')
      .select('user')
      .where('cardId', '=', toHex(cardId))
      .where('until', 'is', null)
      .executeTakeFirst();
    return row?.user;
  }

  async #addCards({ name, person, contact, address }: Omit<UserTable, 'addedAt'>): Promise<KeptUser> {
    const rows = await this.#store
      .selectFrom('cardUser')
      .select(['cardId', 'since'])
      .where('user', '=', name)
      .where('until', 'is', null)
      .orderBy('cardId')
      .execute();
    const own = cardOfName(name);
    const isOwn = own !== undefined && (await this.#userOf(fromHex(own))) === undefined;
    const cards = rows.map(({ cardId, since }) => ({ card: formatCardId(fromHex(cardId)), since }));
    return { name, person, contact, address, cards: isOwn ? [{ card: name, since: 0 }, ...cards] : cards };
  }

  #now(): number {
    return Math.floor(this.#clock.now() / 1000);
  }
}
