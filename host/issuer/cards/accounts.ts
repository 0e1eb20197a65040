import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { encodeCardId, formatCardId, type ModuleClass } from '../../../apdu/decode-module/card-id.ts';
import { OutOfRangeError } from '../../../apdu/errors.ts';
import { createTables, upgradeTables } from './accounts-schema.ts';
import { IssuerError } from '../issuer-error.ts';

const FILE = 'accounts.sqlite';

/** A card as it was personalised, and the highest counters it ever proved. Amounts in micro-units, times in seconds since 1970. */
export interface IssuedCard {
  readonly cardId: Uint8Array;
  /** ISO 4217 number. */
  readonly currency: number;
  readonly maximumBalance: bigint;
  readonly issuedAt: number;
  readonly spent: bigint;
  readonly torn: bigint;
  /** Receipts that it proved to have written. */
  readonly receipts: number;
  /** DGI 0002 as it was last sent; nothing before the first time. */
  readonly limits?: Uint8Array;
  /** It showed that it is a copy, or was put back: it is given nothing any more. */
  readonly withdrawn: boolean;
  /** Its keys were on their way to it: whoever says to be this card must know its channel keys. */
  readonly keyed: boolean;
}

/** What an order does: it loads, or it sets the credit limit. */
export type OrderKind = 'load' | 'credit limit';

/** An S2 that was signed: card, number and the rest of it never change again. */
export interface PlacedOrder {
  readonly kind: OrderKind;
  /** n + 1 of `firmware-notes/protocol.md` 7.4. */
  readonly number: number;
  /** 8 random octets. */
  readonly loadId: Uint8Array;
  /** What was asked for; or the credit limit. */
  readonly asked: bigint;
  /** What was added for torn credit. */
  readonly refund: bigint;
  readonly signedAt: number;
  /** Whether the card has proved, by S3, that it took it. */
  readonly proved: boolean;
}

/** All receipts of a card together. */
export interface ReceiptTotals {
  /** Number of the last one, 0 when there is none; they have no gaps. */
  readonly last: number;
  readonly amount: bigint;
  readonly torn: bigint;
}

/** The issuer's account of its cards: what it made, what it signed, what it was shown. One SQLite file, every change on disk before it counts. */
export class Accounts {
  /** u24, the first three octets of every card id. */
  readonly issuer: number;
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
    // EXTRA: the directory too is synchronised, so that no power cut brings a rolled back order to life again.
    database.exec('PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA; PRAGMA foreign_keys = ON');
    this.issuer = Number(this.#one('SELECT id FROM issuer')?.['id']);
  }

  /** Makes empty accounts, for their owner alone to read; fails when there are some. */
  static create(directory: string, issuer: number): Accounts {
    // Checks the range too.
    encodeCardId({ issuer, moduleClass: 'card', serial: 0 });
    closeSync(openSync(join(directory, FILE), 'wx', 0o600));
    const database = connect(directory);
    createTables(database);
    database.prepare('INSERT INTO issuer (id) VALUES (?)').run(issuer);
    return new Accounts(database);
  }

  /** @throws IssuerError `NO_STORE` when there are none, `STORE_DAMAGED` when they are none of this version. */
  static open(directory: string): Accounts {
    const database = connect(directory);
    try {
      if (upgradeTables(database)) return new Accounts(database);
    } catch (cause) {
      throw damaged(directory, cause);
    }
    throw damaged(directory);
  }

  close(): void {
    this.#database.close();
  }

  /** Runs `work` as one change: all of it is on disk when this returns, or nothing of it. Other processes wait. */
  transaction<T>(work: () => T): T {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#database.exec('COMMIT');
      return result;
    } catch (cause) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw cause;
    }
  }

  /**
   * Writes a new card down.
   * @param serial u32; without it the next that is free in both classes, as messages name a card by its serial.
   * @returns its card id.
   * @throws IssuerError `SERIAL_TAKEN`.
   */
  addCard(
    card: { moduleClass: ModuleClass; serial?: number | undefined; currency: number; maximumBalance: bigint },
    now: number,
  ): Uint8Array {
    return this.transaction(() => {
      const last = this.#one('SELECT max(serial) AS serial FROM card')?.['serial'];
      const serial = card.serial ?? Number(last ?? 0n) + 1;
      const cardId = encodeCardId({ issuer: this.issuer, moduleClass: card.moduleClass, serial });
      if (this.card(cardId) !== undefined) {
        throw new IssuerError(
          'SERIAL_TAKEN',
          `card ${formatCardId(cardId)} was issued before; leave --serial out and the next free one is taken`,
        );
      }
      this.#run(
        'INSERT INTO card (id, class, serial, currency, maximum, issued_at, keyed) VALUES (?, ?, ?, ?, ?, ?, 0)',
        cardId,
        card.moduleClass,
        serial,
        card.currency,
        card.maximumBalance,
        now,
      );
      return cardId;
    });
  }

  card(cardId: Uint8Array): IssuedCard | undefined {
    const row = this.#one('SELECT * FROM card WHERE id = ?', cardId);
    if (row === undefined) return undefined;
    return {
      cardId,
      currency: Number(row['currency']),
      maximumBalance: amount(row['maximum']),
      issuedAt: Number(row['issued_at']),
      spent: amount(row['spent']),
      torn: amount(row['torn']),
      receipts: Number(row['receipts']),
      ...(row['limits'] instanceof Uint8Array && { limits: row['limits'] }),
      withdrawn: Number(row['withdrawn']) === 1,
      keyed: Number(row['keyed']) === 1,
    };
  }

  /** Remembers the counters that the card has proved. */
  showCounters(cardId: Uint8Array, spent: bigint, torn: bigint, receipts: number): void {
    this.#run('UPDATE card SET spent = ?, torn = ?, receipts = ? WHERE id = ?', spent, torn, receipts, cardId);
  }

  /** Remembers that a card is about to be given its keys. */
  showKeyed(cardId: Uint8Array): void {
    this.#run('UPDATE card SET keyed = 1 WHERE id = ?', cardId);
  }

  /** @param limits value of DGI 0002. */
  showLimits(cardId: Uint8Array, limits: Uint8Array): void {
    this.#run('UPDATE card SET limits = ? WHERE id = ?', limits, cardId);
  }

  /** Gives a card nothing any more. */
  withdraw(cardId: Uint8Array): void {
    this.#run('UPDATE card SET withdrawn = 1 WHERE id = ?', cardId);
  }

  lastOrder(cardId: Uint8Array): PlacedOrder | undefined {
    const row = this.#one('SELECT * FROM load_order WHERE card = ? ORDER BY number DESC LIMIT 1', cardId);
    if (row === undefined) return undefined;
    return {
      kind: row['kind'] === 'load' ? 'load' : 'credit limit',
      number: Number(row['number']),
      loadId: octets(row['load_id']),
      asked: amount(row['asked']),
      refund: amount(row['refund']),
      signedAt: Number(row['signed_at']),
      proved: Number(row['proved']) === 1,
    };
  }

  /** What the loads up to this number come to, refunds included. */
  orderedUpTo(cardId: Uint8Array, number: number): bigint {
    const sql = `SELECT coalesce(sum(asked + refund), 0) AS sum FROM load_order WHERE card = ? AND number <= ? AND kind = 'load'`;
    return amount(this.#one(sql, cardId, number)?.['sum']);
  }

  /** The credit limit that the orders up to this number left. */
  creditLimitAt(cardId: Uint8Array, number: number): bigint {
    const sql = `SELECT asked FROM load_order WHERE card = ? AND number <= ? AND kind = 'credit limit' ORDER BY number DESC LIMIT 1`;
    return amount(this.#one(sql, cardId, number)?.['asked'] ?? 0n);
  }

  /** What was refunded by orders signed at `since` or later. */
  refundedSince(cardId: Uint8Array, since: number): bigint {
    const sql = 'SELECT coalesce(sum(refund), 0) AS sum FROM load_order WHERE card = ? AND signed_at >= ?';
    return amount(this.#one(sql, cardId, since)?.['sum']);
  }

  /** The primary key sees to it that no number has two orders. */
  addOrder(cardId: Uint8Array, order: Omit<PlacedOrder, 'proved'>): void {
    this.#run(
      'INSERT INTO load_order (card, kind, number, load_id, asked, refund, signed_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
      cardId,
      order.kind,
      order.number,
      order.loadId,
      order.asked,
      order.refund,
      order.signedAt,
    );
  }

  proveOrder(cardId: Uint8Array, number: number): void {
    this.#run('UPDATE load_order SET proved = 1 WHERE card = ? AND number = ?', cardId, number);
  }

  addReceipt(cardId: Uint8Array, receipt: { number: number; amount: bigint; torn: bigint }, whole: Uint8Array): void {
    this.#run(
      'INSERT INTO receipt (card, number, amount, torn, octets) VALUES (?, ?, ?, ?, ?)',
      cardId,
      receipt.number,
      receipt.amount,
      receipt.torn,
      whole,
    );
  }

  receiptTotals(cardId: Uint8Array): ReceiptTotals {
    const row = this.#one(
      `SELECT coalesce(max(number), 0) AS last, coalesce(sum(amount), 0) AS amount, coalesce(sum(torn), 0) AS torn
       FROM receipt WHERE card = ?`,
      cardId,
    );
    return { last: Number(row?.['last']), amount: amount(row?.['amount']), torn: amount(row?.['torn']) };
  }

  #one(sql: string, ...values: readonly SQLInputValue[]): Record<string, SQLOutputValue> | undefined {
    const statement = this.#database.prepare(sql);
    statement.setReadBigInts(true);
    return statement.get(...values);
  }

  #run(sql: string, ...values: readonly SQLInputValue[]): void {
    this.#database.prepare(sql).run(...values);
  }
}

function connect(directory: string): DatabaseSync {
  const url = pathToFileURL(join(directory, FILE));
  // Never made by opening it: an issuer without its accounts must notice.
  url.searchParams.set('mode', 'rw');
  try {
    // Asked for only now: an older Node does not have it, and is told so by the entry (apdu/require-node.ts).
    const sqlite = process.getBuiltinModule('node:sqlite');
    return new sqlite.DatabaseSync(url, { timeout: 10_000 });
  } catch (cause) {
    throw new IssuerError('NO_STORE', `there is no issuer store in ${directory}; type: tollcast issuer init`, {
      cause,
    });
  }
}

function damaged(directory: string, cause?: unknown): IssuerError {
  return new IssuerError(
    'STORE_DAMAGED',
    `the accounts in ${directory} are damaged or of another version; put your copy of them back`,
    { cause },
  );
}

function amount(value: SQLOutputValue | undefined): bigint {
  if (typeof value !== 'bigint') throw new OutOfRangeError('the accounts hold no number where an amount should be');
  return value;
}

function octets(value: SQLOutputValue | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new OutOfRangeError('the accounts hold no octets where some should be');
  return value;
}
