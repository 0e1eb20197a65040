import { TransportError } from '../../../apdu/errors.ts';
import type { CardStore } from './eeprom.ts';

/** What of a page's IndexedDB and Web Locks is needed; the types of a browser are not those of Node. */
interface PageGlobals {
  readonly indexedDB: { open(name: string, version: number): OpenRequest };
  readonly navigator: {
    readonly locks: {
      request(
        name: string,
        options: { readonly ifAvailable: true },
        hold: (lock: object | null) => Promise<void>,
      ): Promise<void>;
    };
  };
}

interface PageRequest<T, E extends string = 'success' | 'error'> {
  readonly result: T;
  readonly error: Error | null;
  addEventListener(event: E, listener: () => void): void;
}

type OpenRequest = PageRequest<PageDatabase, 'success' | 'error' | 'upgradeneeded'>;

interface PageDatabase {
  createObjectStore(name: string): unknown;
  transaction(
    store: string,
    mode: 'readonly' | 'readwrite',
    options?: { readonly durability: 'strict' },
  ): PageTransaction;
  close(): void;
}

interface PageTransaction {
  objectStore(name: string): {
    get(key: string): PageRequest<Uint8Array | undefined>;
    put(value: Uint8Array, key: string): unknown;
  };
  readonly error: Error | null;
  addEventListener(event: 'complete' | 'abort', listener: () => void): void;
}

const DATABASE = 'tollcast';
const STORE = 'cards';

/**
 * Keeps a soft card in a web page, in IndexedDB. A card is in one tab at a time. What the card writes is in order, as one
 * image each time, and its answer waits until the browser says that it is on disk.
 */
export class PageStore implements CardStore {
  readonly #database: PageDatabase;
  readonly #name: string;
  readonly #release: () => void;
  #image: Uint8Array | undefined;
  /** The image that is not handed to the browser yet. */
  #unsaved: Uint8Array | undefined;
  #saving: Promise<void> | undefined;

  /**
   * @param name of the card, among those of this web site.
   * @throws TransportError `CARD_IN_USE` when another tab has it.
   */
  static async open(name: string): Promise<PageStore> {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A page has them.
    const page = globalThis as unknown as PageGlobals;
    const release = await takeLock(page, `${DATABASE} ${name}`);
    try {
      const opening = page.indexedDB.open(DATABASE, 1);
      opening.addEventListener('upgradeneeded', () => opening.result.createObjectStore(STORE));
      const database = await settle(opening);
      const image = await settle(database.transaction(STORE, 'readonly').objectStore(STORE).get(name));
      return new PageStore(database, name, image, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  private constructor(database: PageDatabase, name: string, image: Uint8Array | undefined, release: () => void) {
    this.#database = database;
    this.#name = name;
    this.#image = image;
    this.#release = release;
  }

  load(): Uint8Array | undefined {
    return this.#image;
  }

  save(image: Uint8Array): void {
    this.#unsaved = image.slice();
    this.#image = undefined;
  }

  sync(): Promise<void> | undefined {
    if (this.#unsaved === undefined) return this.#saving;
    const image = this.#unsaved;
    this.#unsaved = undefined;
    const saving = this.#write(image).finally(() => {
      if (this.#saving === saving) this.#saving = undefined;
    });
    this.#saving = saving;
    return saving;
  }

  #write(image: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      // Transactions on a store come one after the other, in the order in which they were made.
      const transaction = this.#database.transaction(STORE, 'readwrite', { durability: 'strict' });
      transaction.objectStore(STORE).put(image, this.#name);
      transaction.addEventListener('complete', resolve);
      transaction.addEventListener('abort', () => {
        const text = 'the browser cannot keep the card; free some disk space, and let this web site store data';
        reject(new TransportError('SOFT_CARD_FILE', text, { cause: transaction.error }));
      });
    });
  }

  /** Waits for what was written, and lets another tab have the card. */
  async close(): Promise<void> {
    await this.sync();
    this.#database.close();
    this.#release();
  }
}

/** @returns what lets go of the lock. */
async function takeLock({ navigator }: PageGlobals, name: string): Promise<() => void> {
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  await new Promise<void>((resolve, reject) => {
    const holding = navigator.locks.request(name, { ifAvailable: true }, async (lock) => {
      if (lock === null) {
        throw new TransportError('CARD_IN_USE', 'another tab of this browser has the card; close that tab');
      }
      resolve();
      await held;
    });
    holding.catch(reject);
  });
  return release;
}

function settle<T>(request: PageRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => {
      const text = 'the browser gives no access to its database; let this web site store data';
      reject(new TransportError('SOFT_CARD_FILE', text, { cause: request.error }));
    });
  });
}
