import { TollcastError } from '../../../apdu/errors.ts';
import type { StoreChange } from '../../store/group-writer.ts';
import { type Bill, makeBill } from './bill.ts';
import type { ChargingMode } from './billing-port.ts';
import type { Charges } from './charge-terms.ts';
import { endOf, extendEntry, type KeptEntry, openEntry, shortenEntry, startOf } from './charging-entry.ts';
import { billChanges, deleteEntryChange, entryChange } from './charging-rows.ts';

/** Opens an entry. */
export interface Opening {
  readonly id: number;
  readonly user: string;
  readonly session: string;
  readonly service: number;
  readonly charges: Charges;
  readonly from: number;
  readonly to: number;
}

/** All entries that are not billed yet. Each change of one is a statement, for whoever commits it with its cause. */
export class EntryBook {
  readonly #mode: ChargingMode;
  readonly #entries = new Map<number, KeptEntry>();
  readonly #closed = new Set<number>();

  /** @param kept entries as they are on disk. */
  constructor(mode: ChargingMode, kept: Iterable<KeptEntry> = []) {
    this.#mode = mode;
    for (const entry of kept) this.#keep(entry);
  }

  find(id: number): KeptEntry | undefined {
    return this.#entries.get(id);
  }

  entries(): readonly KeptEntry[] {
    return [...this.#entries.values()];
  }

  /** Entries that are closed and not forwarded yet. */
  closed(): readonly KeptEntry[] {
    return [...this.#closed].map((id) => this.#require(id));
  }

  get hasClosed(): boolean {
    return this.#closed.size > 0;
  }

  open({ from, to, ...opened }: Opening): StoreChange {
    return this.#keep(openEntry(opened, { from, to }));
  }

  extend(id: number, to: number): StoreChange {
    return this.#keep(extendEntry(this.#require(id), to));
  }

  /** @param now seconds since 1970. */
  shorten(id: number, to: number, now: number): StoreChange {
    return this.#keep(shortenEntry(this.#require(id), to, now));
  }

  /** Notes what the meter showed at the start of the connection. */
  start(id: number, firstReading: bigint): StoreChange {
    return this.#keep({ ...this.#require(id), firstReading });
  }

  /**
   * Closes an entry at its end. Billed at once, it is gone; else it waits to be forwarded.
   * @param now seconds since 1970.
   */
  close(id: number, now: number, lastReading?: bigint): readonly StoreChange[] {
    const entry: KeptEntry = {
      ...this.#require(id),
      closedAt: now,
      ...(lastReading !== undefined && { lastReading }),
    };
    const bill = this.#mode === 'direct' ? unlessSchemeFails(() => billOf(entry)) : undefined;
    // It waits, too, while a scheme does not say what is billed of it.
    if (bill === undefined) return [this.#keep(entry)];
    this.#entries.delete(id);
    return [...billChanges(bill, true), deleteEntryChange(id)];
  }

  /** Drops an entry whose forward was confirmed. */
  remove(id: number): StoreChange {
    this.#entries.delete(id);
    this.#closed.delete(id);
    return deleteEntryChange(id);
  }

  /** What an entry comes to at an end; undefined while a scheme does not say so. */
  tryBill(id: number, now: number, reading?: bigint): Bill | undefined {
    return unlessSchemeFails(() => this.bill(id, now, reading));
  }

  /** What an entry comes to: for good when it is closed, else so far. @param now seconds since 1970. */
  bill(id: number, now: number, reading?: bigint): Bill {
    const entry = this.#require(id);
    if (entry.closedAt !== undefined) return billOf(entry);
    const until = Math.max(startOf(entry), Math.min(endOf(entry), now));
    return billOf({ ...shortenEntry(entry, until, now), ...(reading !== undefined && { lastReading: reading }) });
  }

  #keep(entry: KeptEntry): StoreChange {
    this.#entries.set(entry.id, entry);
    if (entry.closedAt !== undefined) this.#closed.add(entry.id);
    return entryChange(entry);
  }

  #require(id: number): KeptEntry {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw new Error(`there is no charging entry ${id}`);
    return entry;
  }
}

/** @returns undefined where a scheme failed. */
function unlessSchemeFails(make: () => Bill): Bill | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof TollcastError && error.code === 'SCHEME_FAILED') return undefined;
    throw error;
  }
}

function billOf(entry: KeptEntry): Bill {
  const { firstReading, lastReading } = entry;
  const octets = firstReading === undefined || lastReading === undefined ? 0n : lastReading - firstReading;
  // A meter that began anew shows less than before.
  return makeBill(entry, octets < 0n ? 0n : octets);
}
