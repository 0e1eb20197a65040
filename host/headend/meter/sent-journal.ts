import type { Tariff } from '../../../apdu/decode-module/money/tariff.ts';
import type { CardHeader } from '../../../apdu/decode-module/packets/card-part.ts';
import type { Currency } from '../../money/currency.ts';
import type { GroupWriter, StoreChange } from '../../store/group-writer.ts';

/** What is sent in one session, and what cards take for it. */
export interface JournalledSession {
  readonly service: number;
  /** As `formatSession` writes it. */
  readonly session: string;
  readonly tariff: Tariff;
  /** Left out where it is free. */
  readonly currency?: Currency | undefined;
}

/** Units of groups. */
interface Units {
  octets: number;
  /** ms. */
  duration: number;
  groups: number;
}

/** A second of media time under one content key. */
interface OpenSecond extends Units {
  readonly keyId: number;
  readonly second: number;
}

const KEEP_KEY = `insert or ignore into sent_key (service, key_id, session, segment, tariff, price, currency)
  values (?, ?, ?, ?, ?, ?, ?)`;
const KEEP_SECOND = `insert or replace into sent_second (service, second, key_id, octets, duration, groups)
  values (?, ?, ?, ?, ?, ?)`;
const KEEP_BOUND = `insert or replace into sent_bound (service, ssrc, time_from, time_to, octets, duration, groups)
  values (?, ?, ?, ?, ?, ?, ?)`;
const DELETE_BOUND = 'delete from sent_bound where service = ? and ssrc = ?';
/** The least bound of a second: 20 MB, 20 s of media, 20,000 groups. */
const MIN_BOUND: Units = { octets: 20_000_000, duration: 20_000, groups: 20_000 };
/** Seconds for which the bound is written ahead, and what is left of them when it is written anew. */
const AHEAD = 60;
const MIN_AHEAD = 40;

/**
 * The sender's journal: octets and media time of the groups of a session, per content key and second of media time, as
 * their headers say. A second is written when it is over, by the thread of the database; nothing waits for it. What a
 * stream can send meanwhile is bounded on disk before it is sent: the bound stays when the sender dies.
 */
export class SentJournal {
  readonly #writer: Pick<GroupWriter, 'commit'>;
  readonly #of: JournalledSession;
  #ssrc = 0;
  #segment = 0;
  #keyId: number | undefined;
  #open: OpenSecond | undefined;
  #bound: Units = MIN_BOUND;
  /** Media time up to which the bound was handed over, and up to which it is on disk. */
  #wantedTo = -1;
  #boundedTo = -1;
  #writing: Promise<void> = Promise.resolve();

  constructor(writer: Pick<GroupWriter, 'commit'>, of: JournalledSession) {
    this.#writer = writer;
    this.#of = of;
  }

  /**
   * Begins a stream, when it may send.
   * @param mediaTime seconds since 1970.
   * @throws StoreError `STORE_FAILED`.
   */
  async begin(ssrc: number, mediaTime: number): Promise<void> {
    this.#ssrc = ssrc;
    this.#open = undefined;
    this.#keyId = undefined;
    await this.#write([], mediaTime, true);
  }

  /** Another content key comes into force. */
  keyChanged(segment: number): void {
    this.#segment = segment;
  }

  /**
   * Counts a group that is about to be sent.
   * @returns when it may be sent; undefined when at once, as nearly always.
   * @throws StoreError `STORE_FAILED`: it must not be sent.
   */
  count({ contentKeyId: keyId, mediaTime: second, octets, duration }: CardHeader): Promise<void> | undefined {
    const before = this.#open;
    const isNew = before === undefined || before.keyId !== keyId || before.second !== second;
    const open = isNew ? { keyId, second, octets: 0, duration: 0, groups: 0 } : before;
    this.#open = open;
    open.octets += octets;
    open.duration += duration;
    open.groups += 1;
    const isAbove = !isWithin(open, this.#bound);
    if (isAbove) this.#bound = boundOf(open);
    if (isNew || isAbove) {
      const changes = before === undefined || !isNew ? [] : [this.#secondChange(before)];
      if (keyId !== this.#keyId) changes.push(this.#keyChange(keyId));
      this.#keyId = keyId;
      const isFar = second + MIN_AHEAD > this.#wantedTo;
      if (isAbove) this.#boundedTo = -1;
      void this.#write(changes, second, isFar || isAbove).catch(() => undefined);
    }
    return second > this.#boundedTo ? this.#writing : undefined;
  }

  /** Writes down what the last second was, at the end of a stream. */
  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    const ended: StoreChange = { sql: DELETE_BOUND, values: [this.#of.service, this.#ssrc] };
    // When it cannot be written, the bound stays.
    await this.#writer.commit(open === undefined ? [ended] : [this.#secondChange(open), ended]).catch(() => undefined);
  }

  #write(changes: readonly StoreChange[], second: number, isExtended: boolean): Promise<void> {
    const { service } = this.#of;
    const { octets, duration, groups } = this.#bound;
    const to = isExtended ? second + AHEAD : this.#wantedTo;
    this.#wantedTo = to;
    const bound = { sql: KEEP_BOUND, values: [service, this.#ssrc, second, to, octets, duration, groups] };
    this.#writing = this.#writer.commit([...changes, bound]).then(() => {
      this.#boundedTo = Math.max(this.#boundedTo, to);
    });
    return this.#writing;
  }

  #keyChange(keyId: number): StoreChange {
    const { service, session, tariff, currency } = this.#of;
    const terms = [tariff.kind, tariff.price, currency?.number ?? null];
    return { sql: KEEP_KEY, values: [service, keyId, session, this.#segment, ...terms] };
  }

  #secondChange({ keyId, second, octets, duration, groups }: OpenSecond): StoreChange {
    return { sql: KEEP_SECOND, values: [this.#of.service, second, keyId, octets, duration, groups] };
  }
}

function isWithin(units: Units, bound: Units): boolean {
  return units.octets <= bound.octets && units.duration <= bound.duration && units.groups <= bound.groups;
}

/** Twice of what was sent already. */
function boundOf(sent: Units): Units {
  const most = (name: keyof Units): number => Math.max(MIN_BOUND[name], 2 * sent[name]);
  return { octets: most('octets'), duration: most('duration'), groups: most('groups') };
}
