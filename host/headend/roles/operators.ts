import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../../apdu/errors.ts';
import type { Clock } from '../../clock/clock.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';

/** Octets of a token. */
const TOKEN_LENGTH = 32;
/** Name of the operator that a head-end makes at its first start. */
const FIRST = 'operator';
/** Whom the log of changes names where somebody has the state directory itself. */
const OWNER = 'owner';

/** The file with the token that is made at the first start. */
export function tokenFile(state: string): string {
  return join(state, 'operator.token');
}

/** Who may change what is sold. The database knows the hashes of their tokens alone. */
export class Operators {
  readonly #store: HeadendStore;
  readonly #clock: Clock;

  constructor(store: HeadendStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Makes the first operator, whose token lies in the state directory for its owner alone to read. */
  async makeFirst(state: string): Promise<void> {
    const known = await this.#store.selectFrom('operator').select('name').limit(1).execute();
    if (known.length > 0) return;
    const token = makeToken();
    await writeFile(tokenFile(state), `${token}\n`, { mode: 0o600 });
    await this.#keep(FIRST, token);
  }

  /**
   * Adds an operator, or gives one a new token.
   * @returns the token, which is told this once.
   * @throws InputError when the name cannot be one.
   */
  async add(name: string): Promise<string> {
    if (!/^[\w.@-]{1,60}$/.test(name)) {
      throw new InputError('a name of an operator has letters, digits and . @ _ -, 60 at most; choose another');
    }
    const token = makeToken();
    await this.#keep(name, token);
    return token;
  }

  /** @returns whether there was such an operator. */
  async remove(name: string): Promise<boolean> {
    return this.#store.transaction().execute(async (transaction) => {
      const gone = await transaction.deleteFrom('operator').where('name', '=', name).executeTakeFirst();
      const wasThere = gone.numDeletedRows > 0n;
      if (wasThere) await transaction.insertInto('change').values(this.#changeOf('remove', name)).execute();
      return wasThere;
    });
  }

  async identify(token: string): Promise<string | undefined> {
    const hash = hashToken(token);
    const rows = await this.#store.selectFrom('operator').select(['name', 'tokenHash']).execute();
    return rows.find(({ tokenHash }) => timingSafeEqual(hash, tokenHash))?.name;
  }

  async #keep(name: string, token: string): Promise<void> {
    const row = { name, tokenHash: hashToken(token), addedAt: this.#now };
    await this.#store.transaction().execute(async (transaction) => {
      await transaction
        .insertInto('operator')
        .values(row)
        .onConflict((conflict) => conflict.column('name').doUpdateSet(row))
        .execute();
      await transaction.insertInto('change').values(this.#changeOf('add', name)).execute();
    });
  }

  /** Who may add and remove operators is whoever has the state directory. */
  #changeOf(action: string, name: string) {
    return { at: this.#now, operator: OWNER, action, subject: `operator ${name}`, detail: null };
  }

  get #now(): number {
    return Math.floor(this.#clock.now() / 1000);
  }
}

function makeToken(): string {
  return randomBytes(TOKEN_LENGTH).toString('base64url');
}

function hashToken(token: string): Uint8Array {
  return createHash('sha256').update(token).digest();
}
