import { extname } from 'node:path';
import type { SQLInputValue } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import type { CommitOrder, CommitResult } from './group-commit-worker.ts';
import { StoreError } from './store-error.ts';

/** One statement and its values; its text is one of a few, as each is prepared once and kept. */
export interface StoreChange {
  readonly sql: string;
  readonly values: readonly (string | number | bigint | Uint8Array | null)[];
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (reason: Error) => void;
}

/**
 * Writes to a database of SQLite in groups: while one transaction goes to disk, what comes meanwhile gathers for the
 * next. It runs in a thread of its own, where an fsync stalls nobody but who waits for it.
 */
export class GroupWriter implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #numbers = new Map<string, number>();
  #newStatements: string[] = [];
  #units: SQLInputValue[] = [];
  #gathered: Waiting[] = [];
  #committing: { readonly id: number; readonly waiting: readonly Waiting[] } | undefined;
  #isScheduled = false;
  #lastId = 0;
  #failure: Error | undefined;

  /** @param path of a database whose tables are there. */
  constructor(path: string) {
    // In a checkout this module is TypeScript, installed it is JavaScript, and so is the worker's.
    const script = new URL(`./group-commit-worker${extname(import.meta.url)}`, import.meta.url);
    this.#worker = new Worker(script, { workerData: path });
    this.#worker.on('message', (result: CommitResult) => this.#settle(result));
    this.#worker.on('error', (error: Error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new Error('the thread of the database ended')));
  }

  /**
   * Makes some changes in one transaction, in the order of the calls.
   * @returns when they are on disk.
   * @throws StoreError `STORE_FAILED` when they were not made, none of them.
   */
  commit(changes: readonly StoreChange[]): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) throw this.#failure;
      this.#units.push(changes.length);
      for (const { sql, values } of changes) {
        this.#units.push(this.#numberOf(sql), values.length);
        for (const value of values) this.#units.push(value);
      }
      this.#gathered.push({ resolve, reject });
      this.#schedule();
    });
  }

  /** Waits for what was handed over, and lets go of the database. */
  async close(): Promise<void> {
    while (this.#failure === undefined && (this.#committing !== undefined || this.#gathered.length > 0)) {
      await this.commit([]).catch(() => undefined);
    }
    if (this.#failure !== undefined) return;
    const ended = new Promise<void>((resolve) => void this.#worker.once('exit', () => resolve()));
    this.#worker.postMessage('close');
    await ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #numberOf(sql: string): number {
    const known = this.#numbers.get(sql);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    this.#numbers.set(sql, number);
    this.#newStatements.push(sql);
    return number;
  }

  /** What is handed over in one turn of the loop goes together. */
  #schedule(): void {
    if (this.#isScheduled || this.#committing !== undefined) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#send();
    });
  }

  #send(): void {
    if (this.#gathered.length === 0 || this.#failure !== undefined) return;
    const order: CommitOrder = { id: ++this.#lastId, statements: this.#newStatements, units: this.#units };
    this.#committing = { id: order.id, waiting: this.#gathered };
    this.#newStatements = [];
    this.#units = [];
    this.#gathered = [];
    this.#worker.postMessage(order);
  }

  #settle({ id, failed }: CommitResult): void {
    const committing = this.#committing;
    if (committing?.id !== id) return;
    this.#committing = undefined;
    this.#send();
    const failures = new Map(failed.map((failure) => [failure.unit, failure]));
    for (const [unit, { resolve, reject }] of committing.waiting.entries()) {
      const failure = failures.get(unit);
      if (failure === undefined) resolve();
      else reject(explain(Object.assign(new Error(failure.message), { errcode: failure.errcode })));
    }
  }

  #fail(reason: Error): void {
    this.#failure ??= explain(reason);
    for (const { reject } of [...(this.#committing?.waiting ?? []), ...this.#gathered]) reject(this.#failure);
    this.#committing = undefined;
    this.#gathered = [];
  }
}

function explain(cause: Error): StoreError {
  return new StoreError(
    'STORE_FAILED',
    'the database cannot be written; see whether its disk is full or its file is in use, and start the program anew',
    { cause },
  );
}
