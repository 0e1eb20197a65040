import { InputError, TollcastError } from '../../../../apdu/errors.ts';
import type { Clock } from '../../../clock/clock.ts';
import { formatMoney, type Money } from '../../../money/amount.ts';
import { currencyByNumber } from '../../../money/currency.ts';
import type { GroupWriter, StoreChange } from '../../../store/group-writer.ts';
import type { HeadendStore } from '../../../store/headend/headend-store.ts';
import { type LedgerAccount, parseDebtor } from '../../ledger/ledger-account.ts';
import type { LedgerEntry, LedgerLine } from '../../ledger/ledger-entry.ts';
import { postChanges } from '../../ledger/ledger-rows.ts';
import { makeCorrectionEntry, makeRefundEntry } from '../../ledger/make-entries.ts';
import { type KeptLedgerEntry, readEntries, readEntry } from '../../ledger/read-ledger.ts';
import { CardUsers } from '../users/card-users.ts';
import {
  type Dispute,
  type DisputeQuery,
  type DisputeState,
  readDisputes,
  readDisputeStates,
} from './read-disputes.ts';

/** How an operator rules. */
export interface Ruling {
  readonly state: 'upheld' | 'rejected';
  /** Why. */
  readonly note: string;
  /** What of the entry is given back, where not all of it is. */
  readonly amount?: Money;
}

const OPEN = 'insert into dispute (entry_id, opened_at, opened_by, reason) values (?, ?, ?, ?)';
const RULE = `insert into dispute_ruling (dispute_id, ruling, ruled_at, ruled_by, ruling_note, given_by)
  values (?, ?, ?, ?, ?, (select id from ledger_entry where kind = ? and source = ?))`;

/** Takes disputes of entries of the ledger, and rules them: what is upheld is given back by a further entry. */
export class DisputeDesk {
  readonly #store: HeadendStore;
  readonly #writer: GroupWriter;
  readonly #clock: Clock;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(store: HeadendStore, writer: GroupWriter, clock: Clock) {
    this.#store = store;
    this.#writer = writer;
    this.#clock = clock;
  }

  list(query: DisputeQuery): Promise<readonly Dispute[]> {
    return readDisputes(this.#store, query);
  }

  /** How the last dispute of each entry stands. */
  states(entries: readonly number[]): Promise<ReadonlyMap<number, DisputeState>> {
    return readDisputeStates(this.#store, entries);
  }

  /** @throws TollcastError `NO_DISPUTE`. */
  async find(id: number): Promise<Dispute> {
    const [dispute] = await this.list({ id });
    if (dispute !== undefined) return dispute;
    throw new TollcastError('NO_DISPUTE', `there is no dispute ${id}; list disputes to find its number`);
  }

  /**
   * Opens a dispute; the same again changes nothing.
   * @throws TollcastError `NO_LEDGER_ENTRY`; `DISPUTED` when it is disputed for another reason, or was upheld.
   */
  async open(entry: number, reason: string, operator: string): Promise<Dispute> {
    await readEntry(this.#store, entry);
    await this.#writer.commit([{ sql: OPEN, values: [entry, this.#now(), operator, reason] }]);
    const last = (await this.list({ entry })).at(-1)!;
    if (last.state === 'open' && last.reason === reason) return last;
    const why = last.state === 'open' ? 'rule that one first' : 'what it was for is given back';
    throw new TollcastError('DISPUTED', `entry ${entry} has dispute ${last.id}, which is ${last.state}; ${why}`);
  }

  /**
   * Rules a dispute; the same again changes nothing. What is upheld as a whole is taken back by a correction; a part of
   * it, and what a card has paid, is refunded to the user.
   * @throws TollcastError `NO_DISPUTE`; `DISPUTE_RULED` when it was ruled otherwise.
   * @throws InputError when more would be given back than the entry has earned.
   */
  async rule(id: number, ruling: Ruling, operator: string): Promise<Dispute> {
    return this.#inTurn(async () => {
      const dispute = await this.find(id);
      const { entryId } = dispute;
      const disputed = await readEntry(this.#store, entryId);
      const given = ruling.state === 'upheld' ? await this.#giveBack(dispute, disputed, ruling) : undefined;
      if (dispute.state === 'open') {
        await this.#writer.commit([
          ...(given === undefined ? [] : postChanges(given)),
          this.#change(id, ruling, given, operator),
        ]);
        return this.find(id);
      }
      if (dispute.state === ruling.state && (await this.#isGiven(given, dispute.ruling?.givenBy))) return dispute;
      throw new TollcastError(
        'DISPUTE_RULED',
        `dispute ${id} was ${dispute.state}; explain entry ${entryId} shows how`,
      );
    });
  }

  #change(id: number, { state, note }: Ruling, given: LedgerEntry | undefined, operator: string): StoreChange {
    return { sql: RULE, values: [id, state, this.#now(), operator, note, given?.kind ?? null, given?.source ?? null] };
  }

  /** The entry that gives back what is upheld. */
  async #giveBack(
    { id }: Dispute,
    entry: KeptLedgerEntry,
    { note, amount }: Pick<Ruling, 'note' | 'amount'>,
  ): Promise<LedgerEntry> {
    const at = this.#now();
    if (amount === undefined && entry.kind !== 'receipt')
      return makeCorrectionEntry(entry.id, entry.lines, { at, note });
    // The card counts for itself what it has paid: its user gets it back.
    const { service, payer, line } = await this.#findEarned(entry);
    const whole = { amount: line.amount, currency: currencyByNumber(line.currency) };
    const back = amount ?? whole;
    if (back.currency.number !== line.currency || back.amount === 0n || back.amount > line.amount) {
      throw new InputError(
        `entry ${entry.id} has earned ${formatMoney(whole.amount, whole.currency)}; give back that or less`,
      );
    }
    const { number: currency } = back.currency;
    const money = { amount: back.amount, currency, from: `refunds:${service}` as const, to: payer };
    return makeRefundEntry({ source: `dispute ${id}`, at, note, ...money });
  }

  async #findEarned({
    id,
    at,
    lines,
  }: KeptLedgerEntry): Promise<{ service: number; payer: LedgerAccount; line: LedgerLine }> {
    const earned = lines.filter(({ credit }) => credit.startsWith('revenue:'));
    const line = earned.find(({ debit }) => !debit.startsWith('provider:')) ?? earned[0];
    if (line === undefined) {
      throw new InputError(`entry ${id} has earned nothing that could be given back in part; leave the amount out`);
    }
    const service = Number(line.credit.slice('revenue:'.length));
    if (!line.debit.startsWith('card:')) return { service, payer: line.debit, line };
    const users = await CardUsers.read(this.#store);
    return { service, payer: parseDebtor(`user:${users.userOf(line.debit.slice('card:'.length), at)}`), line };
  }

  /** Whether the entry that was given is the one that would be given now. */
  async #isGiven(would: LedgerEntry | undefined, given: number | null | undefined): Promise<boolean> {
    if (would === undefined || typeof given !== 'number') return would === undefined;
    const [kept] = await readEntries(this.#store, { id: given });
    return kept?.kind === would.kind && kept.lines[0]?.amount === would.lines[0]?.amount;
  }

  /** One ruling comes after the other. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work, work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  #now(): number {
    return Math.floor(this.#clock.now() / 1000);
  }
}
