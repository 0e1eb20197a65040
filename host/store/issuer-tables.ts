import type { ColumnType, Generated, Selectable } from 'kysely';
import type { ModuleClass } from '../../apdu/decode-module/card-id.ts';

/** Who issues the cards: one row, none where a head-end was given nothing but a master. */
export interface IssuerTable {
  /** u24, the first three octets of every card id. */
  readonly id: number;
}

/** The account of a card: how it was personalised, and the highest counters that it proved. Amounts in micro-units. */
export interface CardTable {
  readonly cardId: Uint8Array;
  readonly moduleClass: ModuleClass;
  /** u32. */
  readonly serial: number;
  /** ISO 4217 number. */
  readonly currency: number;
  readonly maximumBalance: bigint;
  /** Seconds since 1970. */
  readonly issuedAt: number;
  readonly spent: Generated<bigint>;
  readonly torn: Generated<bigint>;
  /** Receipts that it proved to have written. */
  readonly receipts: Generated<number>;
  /** DGI 0002 as it was last sent; null before the first time. */
  readonly limits: ColumnType<Uint8Array | null, Uint8Array | undefined>;
  /** It showed that it is a copy, or an old state put back: it is given nothing any more. */
  readonly withdrawn: Generated<boolean>;
  /** Its keys were on their way to it: whoever says to be this card must know its channel keys. */
  readonly keyed: ColumnType<boolean, boolean>;
  /** The master that its uplink key comes from: *unique* for a card that was made before there was another. */
  readonly uplinkMaster: 'unique' | 'uplink';
}

/** Numbered orders that were signed; amounts in micro-units. */
export interface LoadOrderTable {
  readonly cardId: Uint8Array;
  /** Load number of the card after it, protocol 7.4. */
  readonly number: number;
  /** An order loads, or it sets the credit limit. */
  readonly kind: 'load' | 'credit limit';
  /** 8 random octets. */
  readonly loadId: Uint8Array;
  /** What was asked for; or the credit limit. */
  readonly asked: bigint;
  /** What was added for torn credit. */
  readonly refund: bigint;
  /** Seconds since 1970. */
  readonly signedAt: number;
  /** Whether the card has proved that it took the order. */
  readonly proved: Generated<boolean>;
}

/** Receipts that were collected; amounts in micro-units. */
export interface ReceiptTable {
  readonly cardId: Uint8Array;
  readonly number: number;
  readonly amount: bigint;
  readonly torn: bigint;
  /** The whole receipt. */
  readonly octets: Uint8Array;
}

/** The number of each card's last grant, protocol 4.4 step 4. */
export interface GrantNumberTable {
  readonly cardId: Uint8Array;
  /** u32. */
  readonly number: number;
}

/** The public half of the key pair that a card made last, `firmware-notes/protocol.md` 4.9. */
export interface CardPairTable {
  readonly cardId: Uint8Array;
  /** 65 octets, the uncompressed point; none where a pair may have been made that nobody knows. */
  readonly publicKey: Uint8Array;
  /** Seconds since 1970. */
  readonly madeAt: number;
}

/** A head-end that numbers grants of these cards too. */
export interface HeadEndTable {
  /** Directory of its state, from the root. */
  readonly state: string;
}

export type IssuerTables = {
  readonly issuer: IssuerTable;
  readonly card: CardTable;
  readonly loadOrder: LoadOrderTable;
  readonly receipt: ReceiptTable;
  readonly grantNumber: GrantNumberTable;
  readonly cardPair: CardPairTable;
  readonly headEnd: HeadEndTable;
};

type Rows = { [T in keyof IssuerTables]: Selectable<IssuerTables[T]> };
type ColumnsOf<V, R = Rows[keyof Rows]> = R extends unknown
  ? { [C in keyof R]: R[C] extends V ? C : never }[keyof R]
  : never;

/** Integer columns that are numbers or booleans here, in whatever table; all others are amounts, and stay bigints. */
export const SMALL_COLUMNS: { readonly [C in ColumnsOf<number>]: 'number' } & {
  readonly [C in ColumnsOf<boolean>]: 'boolean';
} = {
  id: 'number',
  serial: 'number',
  currency: 'number',
  issuedAt: 'number',
  receipts: 'number',
  number: 'number',
  signedAt: 'number',
  madeAt: 'number',
  withdrawn: 'boolean',
  keyed: 'boolean',
  proved: 'boolean',
};
