import type { Clock } from '../../../clock/clock.ts';
import type { HeadendStore } from '../../../store/headend/headend-store.ts';
import type { SessionMeter } from '../../charging/billing-port.ts';
import type { KeptEntry } from '../../charging/charging-entry.ts';

/** ms between two notes of the meters: octets of a longer time are not charged when the machine fails. */
const INTERVAL = 1000;

/** What a session has sent, counted from the start of the process. */
export interface Sending {
  /** As `formatSession` writes it. */
  readonly session: string;
  readonly octets: number;
}

/**
 * The meters of all sessions: octets of payload of all groups that were ever sent, over restarts too. What was sent in
 * the last second before a machine failed may be missing, and is not charged.
 */
export class SentOctets implements SessionMeter {
  readonly #store: HeadendStore;
  readonly #list: () => readonly Sending[];
  /** By session, what was sent before this process. */
  readonly #before = new Map<string, bigint>();
  /** By session, what the database has. */
  readonly #noted = new Map<string, bigint>();

  /** @param list what is being sent, and was sent in this process. */
  static async open(store: HeadendStore, list: () => readonly Sending[]): Promise<SentOctets> {
    const meter = new SentOctets(store, list);
    for (const { session, octets } of await store.selectFrom('sessionMeter').selectAll().execute()) {
      meter.#before.set(session, octets);
    }
    return meter;
  }

  private constructor(store: HeadendStore, list: () => readonly Sending[]) {
    this.#store = store;
    this.#list = list;
  }

  /** A meter never shows less than it did when an entry was opened. */
  holdAgainst(entries: readonly Pick<KeptEntry, 'session' | 'firstReading'>[]): void {
    for (const { session, firstReading = 0n } of entries) {
      if (firstReading > (this.#before.get(session) ?? 0n)) this.#before.set(session, firstReading);
    }
  }

  read(session: string): bigint {
    const sent = this.#list()
      .filter((one) => one.session === session)
      .reduce((sum, { octets }) => sum + BigInt(octets), 0n);
    return (this.#before.get(session) ?? 0n) + sent;
  }

  /** A sender of this process has ended, and is listed no longer: what it sent stays counted. */
  keep(session: string, octets: number): void {
    this.#before.set(session, (this.#before.get(session) ?? 0n) + BigInt(octets));
  }

  /** Notes the meters until `signal` aborts. */
  async run(clock: Clock, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await clock.sleep(INTERVAL, signal);
      } catch {
        return;
      }
      await this.note();
    }
  }

  /** Writes down what changed since the last time. */
  async note(): Promise<void> {
    for (const session of new Set([...this.#before.keys(), ...this.#list().map((one) => one.session)])) {
      const octets = this.read(session);
      if (this.#noted.get(session) === octets) continue;
      await this.#store
        .insertInto('sessionMeter')
        .values({ session, octets })
        .onConflict((conflict) => conflict.column('session').doUpdateSet({ octets }))
        .execute();
      this.#noted.set(session, octets);
    }
  }
}
