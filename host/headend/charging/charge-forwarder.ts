import type { GroupWriter } from '../../store/group-writer.ts';
import type { BillingPort, ChargingMode, SessionMeter } from './billing-port.ts';
import { countsOctets } from './charge-terms.ts';
import type { KeptEntry } from './charging-entry.ts';
import type { EntryBook } from './entry-book.ts';

/** Forwards charging entries to billing, and deletes them when billing has confirmed that it has them. */
export class ChargeForwarder {
  readonly #book: EntryBook;
  readonly #mode: ChargingMode;
  readonly #billing: BillingPort;
  readonly #writer: GroupWriter;
  readonly #meter: SessionMeter | undefined;
  /** Entries on their way: none is sent twice at a time. */
  readonly #onTheWay = new Set<number>();
  /** Entries whose failure was told. */
  readonly #failed = new Set<number>();
  readonly #onFailure: (error: unknown, entryId: number) => void;

  constructor(ports: {
    readonly book: EntryBook;
    readonly mode: ChargingMode;
    readonly billing: BillingPort;
    readonly writer: GroupWriter;
    readonly meter?: SessionMeter | undefined;
    /** Told, once for each entry, why it could not be billed. */
    readonly onFailure?: ((error: unknown, entryId: number) => void) | undefined;
  }) {
    this.#onFailure = ports.onFailure ?? (() => undefined);
    this.#book = ports.book;
    this.#mode = ports.mode;
    this.#billing = ports.billing;
    this.#writer = ports.writer;
    this.#meter = ports.meter;
  }

  /**
   * Forwards the entries that are closed.
   * @returns how many are left, as billing did not take them; they are for the next time.
   */
  async forwardClosed(now: number): Promise<number> {
    const closed = this.#book.closed().filter(({ id }) => !this.#onTheWay.has(id));
    const done = await Promise.all(closed.map((entry) => this.#forward(entry, now, true)));
    return done.filter((isDone) => !isDone).length;
  }

  /** Transfers what open entries come to so far, where that is done periodically. @param now seconds since 1970. */
  async transferOpen(now: number): Promise<void> {
    if (this.#mode !== 'transfer') return;
    const open = this.#book.entries().filter(({ id, closedAt }) => closedAt === undefined && !this.#onTheWay.has(id));
    await Promise.all(open.map((entry) => this.#forward(entry, now, false)));
  }

  async #forward({ id, session, charges }: KeptEntry, now: number, isClosed: boolean): Promise<boolean> {
    this.#onTheWay.add(id);
    try {
      const reading = countsOctets(charges) ? this.#meter?.read(session) : undefined;
      await this.#billing.forward(this.#book.bill(id, now, reading), isClosed);
      this.#failed.delete(id);
      if (isClosed) await this.#writer.commit([this.#book.remove(id)]);
      return true;
    } catch (error) {
      // It stays as it is: nothing is deleted that billing has not confirmed.
      if (!this.#failed.has(id)) this.#onFailure(error, id);
      this.#failed.add(id);
      return false;
    } finally {
      this.#onTheWay.delete(id);
    }
  }
}
