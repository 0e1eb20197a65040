import { decodeCardId, formatCardId } from '../../../apdu/decode-module/card-id.ts';
import type { CbcFactory } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import type { SignedRequest } from '../../../apdu/decode-module/requests/signed-request.ts';
import { OutOfRangeError, TollcastError } from '../../../apdu/errors.ts';
import { toHex } from '../../../apdu/octets.ts';
import type { Clock } from '../../clock/clock.ts';
import { PROBLEMS } from '../../contract/answers/problem.ts';
import { isSkewed, resolveRequestedTime } from '../../contract/requests/requested-time.ts';
import type { StoreChange } from '../../store/group-writer.ts';
import type { RequestLogTable } from '../../store/headend/tables/request-tables.ts';
import type { BillingPort, ChargingMode, SessionMeter } from '../charging/billing-port.ts';
import { ChargeForwarder } from '../charging/charge-forwarder.ts';
import type { KeptEntry } from '../charging/charging-entry.ts';
import { SOLD_OUTCOME } from '../charging/logged-purchases.ts';
import type { ListedMember, MemberList } from '../membership/member-list.ts';
import type { SoldSession } from '../membership/sold-session.ts';
import { openBillRequest } from './bill-requests.ts';
import { CardAuthentication, cardOf } from './card-authentication.ts';
import type { NumberSource } from './card-numbers.ts';
import { type DeskState, type DeskStore, readDeskState } from './desk-state.ts';
import { DeskTimers } from './desk-timers.ts';
import { type Applied, type Asked, Joins, type Refusal } from './joins.ts';
import { LoggedSales } from './logged-sales.ts';
import { parseReply, refuse, type Reply, replyOf, textOfReply } from './reply.ts';
import type { CardStandings, OfferBook } from './request-ports.ts';
import { blockChange, forgetChange, logChange, rememberChange, unblockChange, userChanges } from './request-rows.ts';
import type { MembershipEvents, SessionKeys } from './session-keys.ts';

export interface RequestDeskOptions extends DeskStore {
  /** Uplink masters by the number of their issuer, 16 octets each. */
  readonly masters: ReadonlyMap<number, Uint8Array>;
  /** Uplink keys of cards that were made before there was an uplink master, by card id in hexadecimal. */
  readonly olderUplinkKeys?: ReadonlyMap<string, Uint8Array> | undefined;
  readonly offers: OfferBook;
  readonly keys: SessionKeys;
  /** Left out, every card is good that signs rightly and is not blocked here. */
  readonly standings?: CardStandings | undefined;
  readonly events?: MembershipEvents | undefined;
  /** Needed where octets are charged. */
  readonly meter?: SessionMeter | undefined;
  readonly charging: {
    readonly mode: ChargingMode;
    readonly billing: BillingPort;
    /** Seconds between two transfers, where entries are transferred periodically. */
    readonly period?: number | undefined;
    /** Told, once for each entry, why it could not be billed. */
    readonly onFailure?: (error: unknown, entryId: number) => void;
  };
  /** Where others number grants of the same cards. */
  readonly numbers?: NumberSource | undefined;
  /** Makes the ciphers that tags are checked with; in JavaScript when left out. */
  readonly makeCipher?: CbcFactory | undefined;
  readonly clock: Clock;
}

/** Characters of a user: its account in the ledger has no more. */
const MAX_USER = 75;

/**
 * Answers what cards ask. What a request changes, its row in the log and its answer are on disk, in one transaction,
 * before a key leaves. It decides in memory and in the order of the calls, and knows nothing of a card before its first
 * request.
 */
export class RequestDesk implements MemberList {
  readonly #options: RequestDeskOptions;
  readonly #state: DeskState;
  readonly #authentication: CardAuthentication;
  readonly #joins: Joins;
  readonly #sales: LoggedSales;
  readonly #timers: DeskTimers;
  readonly #forwarder: ChargeForwarder;
  /** Answers on their way to disk, by the row of the log. */
  readonly #pending = new Map<number, Promise<Reply>>();
  readonly #hasFailed = new AbortController();
  #failure: Error | undefined;

  /** Reads what is on disk. */
  static async open(options: RequestDeskOptions): Promise<RequestDesk> {
    const now = Math.floor(options.clock.now() / 1000);
    const { store, charging, numbers } = options;
    return new RequestDesk(options, await readDeskState(store, charging.mode, now, numbers));
  }

  private constructor(options: RequestDeskOptions, state: DeskState) {
    const { masters, olderUplinkKeys, makeCipher, keys, meter, charging, writer, clock } = options;
    this.#options = options;
    this.#state = state;
    this.#authentication = new CardAuthentication(masters, olderUplinkKeys, makeCipher);
    this.#joins = new Joins(state, { keys, meter });
    this.#sales = new LoggedSales(state.numbers, keys);
    this.#forwarder = new ChargeForwarder({ ...charging, book: state.entries, writer, meter });
    this.#timers = new DeskTimers(state, clock, charging.period, {
      happen: (member, event, now) => this.#happen(member, event, now),
      start: (entryId, session) => this.#commit(this.#joins.start({ entryId, session })),
      forward: (now) => this.#forwarder.forwardClosed(now),
      transfer: (now) => this.#forwarder.transferOpen(now),
      forget: (now) => this.#forget(now),
    });
  }

  /** Why nothing can be written any more; the program is to be started anew. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  members(session: string): Iterable<ListedMember> {
    return this.#state.members.members(session);
  }

  /** Charging entries that are not billed yet. */
  entries(): readonly KeptEntry[] {
    return this.#state.entries.entries();
  }

  /**
   * Runs the timers until `signal` aborts.
   * @throws StoreError `STORE_FAILED` as soon as something cannot be written: the program is to be started anew.
   */
  async run(signal: AbortSignal): Promise<void> {
    const stop = AbortSignal.any([signal, this.#hasFailed.signal]);
    await this.#timers.run(stop);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Does what is due, and waits until it is on disk and forwarded, as far as billing takes it. */
  tick(): Promise<void> {
    return this.#timers.tick();
  }

  /**
   * Answers a request, a confirm or a leave record.
   * @param octets as the card signed them.
   * @param receivedAt ms since 1970.
   */
  async answer(octets: Uint8Array, receivedAt = this.#options.clock.now()): Promise<Reply> {
    const now = Math.floor(receivedAt / 1000);
    if (this.#failure !== undefined) return refuse('unavailable');
    const message = this.#authentication.open(octets);
    if (typeof message === 'string') return refuse(message);
    const cardId = toHex(cardOf(message));
    const standing = this.#state.blocked.has(cardId) ? 'blocked' : this.#options.standings?.standingOf(cardId);
    if (standing === 'unavailable') return refuse('unavailable');
    if (standing === 'blocked') return refuse('blocked-card');
    if (standing === 'unknown') return refuse('unknown-card');
    switch (message.what) {
      case 'request':
        return this.#answerRequest(message.request, toHex(message.tag), cardId, now);
      case 'confirm': {
        const { number, service } = message.confirm;
        const confirmed = this.#joins.confirm(cardId, number, service, now);
        const isSold = 'problem' in confirmed && this.#options.offers.isBilledByLog(service);
        return this.#settle(isSold ? LoggedSales.confirm(cardId, service, now) : confirmed, now);
      }
      case 'leave record': {
        const find = (hash: string): SoldSession | undefined => this.#options.offers.find(hash);
        const applied = this.#joins.leaveRecord(message.record, cardId, find, now);
        return this.#settle(applied, now, 'leave record');
      }
    }
  }

  /** Tells whose bill is asked for. @param octets as the card signed them. */
  openBillRequest(octets: Uint8Array): ReturnType<typeof openBillRequest> {
    return openBillRequest(this.#authentication, octets, this.#now());
  }

  /**
   * Blocks a card and takes it off every list at once: it gets no key and no answer any more.
   * @param cardId 8 octets.
   * @returns how many sessions it was in, when that is on disk.
   */
  async evict(cardId: Uint8Array): Promise<number> {
    const now = this.#now();
    const card = toHex(cardId);
    const members = this.#state.members.ofCard(card);
    this.#state.blocked.add(card);
    const blocked = this.#commit([blockChange(card, now)]);
    await Promise.all([blocked, ...members.map((member) => this.#happen(member, 'evict', now))]);
    return members.length;
  }

  /** Lets a card ask again. @param cardId 8 octets. */
  async unblock(cardId: Uint8Array): Promise<void> {
    this.#state.blocked.delete(toHex(cardId));
    await this.#commit([unblockChange(toHex(cardId))]);
  }

  /**
   * Says who uses a card: its next joins are charged to that user.
   * @param cardId 8 octets.
   * @param user 1 to 75 characters; the card itself when left out.
   * @throws OutOfRangeError.
   */
  async assignUser(cardId: Uint8Array, user?: string): Promise<void> {
    if (user === '' || (user !== undefined && user.length > MAX_USER)) {
      throw new OutOfRangeError(`a user has 1 to ${MAX_USER} characters, not ${user.length}`);
    }
    const card = toHex(cardId);
    if (this.#state.users.get(card) === user) return;
    if (user === undefined) this.#state.users.delete(card);
    else this.#state.users.set(card, user);
    await this.#commit(userChanges(card, user, this.#now()));
  }

  /** Takes one card off the list of one session. @returns whether it was on it, when that is on disk. */
  async remove(cardId: Uint8Array, session: string): Promise<boolean> {
    const member = this.#state.members.find(toHex(cardId), session);
    if (member !== undefined) await this.#happen(member, 'evict', this.#now());
    return member !== undefined;
  }

  async #answerRequest(request: SignedRequest, tag: string, cardId: string, now: number): Promise<Reply> {
    const requestId = toHex(request.requestId);
    const known = this.#state.answered.find(cardId, requestId);
    if (known !== undefined) {
      if (known.tag !== tag) return refuse('replayed');
      return this.#pending.get(known.logId) ?? this.#recall(known.logId);
    }
    if (isSkewed(request, now)) return refuse('skewed', { now });
    if (!this.#state.answered.admit(cardId, now)) return refuse('over-quota');
    const sold = this.#options.offers.find(toHex(request.sessionHash));
    if (sold === undefined || sold.service !== request.service) return refuse('unknown-offer');
    const logId = this.#nextLogId();
    const applied = this.#apply(request, sold, cardId, now, logId);
    const reply = replyOf(applied, requestId, sold);
    if ('problem' in reply && PROBLEMS[reply.problem.code].mayPass === true) return reply;
    if (request.kind === 'stay') return reply;
    const row: RequestLogTable = {
      id: logId,
      at: now,
      cardId,
      kind: request.kind,
      service: sold.service,
      session: sold.session,
      segmentId: null,
      timeFrom: request.from,
      timeTo: 'problem' in applied ? request.to : applied.member.to,
      requestId,
      outcome: 'problem' in applied ? applied.problem : applied.outcome,
    };
    this.#state.answered.remember(cardId, requestId, { logId, tag, from: request.from });
    const remembered = [...this.#logRows(row, applied).map(logChange), rememberChange(row, tag, textOfReply(reply))];
    const pending = this.#conclude(applied, remembered, now).then(
      () => reply,
      () => refuse('unavailable'),
    );
    this.#pending.set(logId, pending);
    try {
      return await pending;
    } finally {
      this.#pending.delete(logId);
    }
  }

  /** One row for each segment whose key is given, and one where none is. */
  #logRows(row: RequestLogTable, applied: Applied | Refusal): RequestLogTable[] {
    const { segments = [], isSold = false } = 'problem' in applied ? {} : applied;
    const [first] = segments;
    if (first === undefined) return [row];
    return segments.map((segment) => {
      const id = segment === first ? row.id : this.#nextLogId();
      // What is sold says when its key opens something; else the time is that of the join.
      if (isSold) {
        return { ...row, id, segmentId: segment.id, timeFrom: segment.from, timeTo: segment.to, outcome: SOLD_OUTCOME };
      }
      return { ...row, id, segmentId: segment.id, outcome: segment === first ? row.outcome : 'keys' };
    });
  }

  #apply(request: SignedRequest, sold: SoldSession, cardId: string, now: number, logId: number): Applied | Refusal {
    const cardOctets = request.cardId;
    const { moduleClass } = decodeCardId(cardOctets);
    if (!sold.classes.includes(moduleClass)) return { problem: 'class-refused', particulars: moduleClass };
    const time = resolveRequestedTime(request, sold.slots);
    if (time === undefined) return { problem: 'wrong-time' };
    const user = this.#state.users.get(cardId) ?? formatCardId(cardOctets);
    const asked: Asked = { cardId, cardOctets, user, sold, ...time, now, logId };
    // Who was joined before a service came to be billed by its log stays so to its end.
    const isSold = sold.isBilledByLog === true && this.#state.members.find(cardId, sold.session) === undefined;
    try {
      return (isSold ? this.#sales : this.#joins)[request.kind](asked);
    } catch (error) {
      // The key manager has none to give.
      if (error instanceof TollcastError) return { problem: 'unavailable', particulars: error.code };
      throw error;
    }
  }

  /** Answers what has no request id: the same again finds it done already. */
  async #settle(applied: Applied | Refusal, now: number, logged?: 'leave record'): Promise<Reply> {
    const reply = replyOf(applied);
    if ('problem' in applied) return reply;
    const rows: StoreChange[] = [];
    if (logged !== undefined && applied.ended !== undefined) rows.push(this.#logEnd(applied, logged, now));
    for (const { member, segments } of applied.reissued ?? []) {
      rows.push(...segments.map(({ id }) => this.#log(member, { kind: logged!, segmentId: id, outcome: 'keys' }, now)));
    }
    try {
      await this.#conclude(applied, rows, now);
      return reply;
    } catch {
      return refuse('unavailable');
    }
  }

  async #happen(
    member: Parameters<Joins['happen']>[0],
    event: Parameters<Joins['happen']>[1],
    now: number,
  ): Promise<void> {
    const applied = this.#joins.happen(member, event, now);
    // What just expires was logged with its end.
    await this.#conclude(applied, applied.ended === undefined ? [] : [this.#logEnd(applied, event, now)], now);
  }

  #logEnd({ member }: Applied, kind: string, now: number): StoreChange {
    return this.#log(member, { kind, segmentId: null, outcome: 'ended' }, now);
  }

  /** A row for what no request of its own asked for. */
  #log(
    { cardId, service, session, from, to }: Applied['member'],
    what: Pick<RequestLogTable, 'kind' | 'segmentId' | 'outcome'>,
    now: number,
  ): StoreChange {
    const id = this.#nextLogId();
    const times = { at: now, timeFrom: from, timeTo: to };
    return logChange({ id, cardId, service, session, ...times, ...what, requestId: null });
  }

  #nextLogId(): number {
    return ++this.#state.lastLogId;
  }

  /** Commits what was decided, and then tells who has to know. */
  async #conclude(applied: Applied | Refusal, more: readonly StoreChange[], now: number): Promise<void> {
    if ('problem' in applied) return this.#commit(more);
    const committed = this.#commit([...applied.changes, ...more]);
    this.#timers.wake(applied.outcome === 'joined' ? applied.member.entryId : undefined);
    await committed;
    const { ended, member, hasListChanged = false } = applied;
    if (ended !== undefined) this.#options.keys.end(ended);
    if (!hasListChanged) return;
    const { session } = member;
    const members = this.#state.members.count(session);
    // Nobody else is there to be told of the first join, and of the last leave.
    if (members > (applied.outcome === 'joined' ? 1 : 0)) {
      this.#options.events?.changed({ session, at: now * 1000, members });
    }
  }

  async #commit(changes: readonly StoreChange[]): Promise<void> {
    if (changes.length === 0) return;
    try {
      await this.#options.writer.commit(changes);
    } catch (error) {
      // What is in memory is not on disk: nothing may be built on it.
      this.#failure ??= error instanceof Error ? error : new Error(String(error));
      this.#hasFailed.abort();
      throw error;
    }
  }

  async #recall(logId: number): Promise<Reply> {
    const { store } = this.#options;
    const row = await store.selectFrom('answeredRequest').select('reply').where('logId', '=', logId).executeTakeFirst();
    return row === undefined ? refuse('unavailable') : parseReply(row.reply);
  }

  async #forget(now: number): Promise<void> {
    this.#state.answered.forget(now);
    await this.#commit([forgetChange(now)]);
  }

  #now(): number {
    return Math.floor(this.#options.clock.now() / 1000);
  }
}
