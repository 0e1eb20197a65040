import { TollcastError } from '../../apdu/errors.ts';
import { type Clock, systemClock } from '../clock/clock.ts';
import { Signal } from '../clock/signal.ts';
import type { GroupPreview } from '../stream/opening/clear-sink.ts';
import { GroupOpener } from '../stream/opening/group-opener.ts';
import type { PacketKeeper } from '../stream/packet/packet-keeper.ts';
import type { BridgeOptions } from './bridge-options.ts';
import { ByeWatch } from './bye-watch.ts';
import { CardErrands } from './card/card-errands.ts';
import { CardSession } from './card/card-session.ts';
import { CardWatch } from './card/card-watch.ts';
import type { StopReason } from './card/stop-reason.ts';
import { type GroupOutcome, type NewPrice, TollGate } from './card/toll-gate.ts';
import { Delivery } from './delivery.ts';
import { MediaIntake, type TakenGroup } from './intake/media-intake.ts';
import type { MediaSender } from './intake/media-sender.ts';
import type { Preference } from './intake/stranger-share.ts';
import { StrangerWatch } from './intake/stranger-watch.ts';
import { KeyLoader } from './keys/key-loader.ts';
import { PriceConsent } from './price/price-consent.ts';
import { type BridgeEnd, END_MESSAGES, type EndCode } from './run-end.ts';
import type { BridgeStatus } from './status/bridge-status.ts';
import { Diagnosis } from './status/diagnosis.ts';
import { Notices } from './status/notices.ts';
import { StatusCounters } from './status/status-counters.ts';
import { yieldTurn } from './yield-turn.ts';

/** ms that the loop rests at most when nothing but a key, a player or time can help. */
const MAX_REST = 200;
/** ms of work after which the sockets get their turn. */
const MAX_WORK = 5;

/** Takes packets and keys in, asks the card group by group, passes on what it opens. One object serves one run. */
export class Bridge {
  readonly #options: BridgeOptions;
  readonly #clock: Clock;
  readonly #counters: StatusCounters;
  readonly #cards: CardWatch;
  readonly #keys: KeyLoader;
  readonly #intake: MediaIntake;
  readonly #gate: TollGate;
  readonly #delivery: Delivery;
  readonly #bye = new ByeWatch();
  readonly #diagnosis: Diagnosis;
  readonly #consent: PriceConsent;
  readonly #strangers: StrangerWatch;
  /** Wakes the loop when something comes in. */
  readonly #arrival: Signal;
  readonly #over = new AbortController();
  #end: EndCode | undefined;
  /** For what others do with the card between two groups. */
  readonly card: CardErrands;
  /**
   * Called when so much comes from strangers that the media port had better let most of it go before it is read, and
   * when it need not do so any longer.
   */
  onPreference: ((preference: Preference) => void) | undefined;

  constructor(options: BridgeOptions) {
    const { sink, aead, makeCipher, service, pin, clock = systemClock, minShare = 50, purseEvery = 1000 } = options;
    this.#options = options;
    this.#clock = clock;
    const counters = (this.#counters = new StatusCounters(service, (status) => options.onState?.(status)));
    const notices = new Notices((line) => options.onNotice?.(line));
    const session = new CardSession({
      open: options.open,
      pin,
      clock,
      onCommand: () => counters.commandSent(),
      onSlow: (text) => counters.cardSlow(text),
      onAnswer: () => counters.cardAnswered(),
    });
    const keys = new KeyLoader({ ...options, onDrop: (reason, messages) => counters.dropped(reason, messages) });
    const intake = new MediaIntake({
      onDrop: (reason, packets) =>
        counters.dropped(this.#diagnosis.whyDropped(reason, packets, counters.status), packets),
      openLate: (packet) => this.#gate.openLate(packet),
      isKnown: (ssrc) => keys.hasContentFor(ssrc),
      stream: options.stream,
    });
    const { writer } = (this.#delivery = new Delivery(sink, clock, counters));
    const opener = new GroupOpener(aead, makeCipher);
    const consent = (this.#consent = new PriceConsent(options.decidePrice));
    const judge = (group: GroupPreview) => sink.judge?.(group) ?? 'wanted';
    this.#gate = new TollGate({ session, keys, intake, opener, writer, counters, notices, consent, judge, minShare });
    const checkEnd = () => this.#checkBye();
    const onConnected = () => options.onCard?.();
    const { deliverReceipts } = options;
    const watched = { session, keys, counters, notices, clock, purseEvery, checkEnd, onConnected, deliverReceipts };
    this.#cards = new CardWatch(watched);
    this.#diagnosis = new Diagnosis({ keys, intake, sink, consent, notices, hasPin: pin !== undefined });
    this.#strangers = new StrangerWatch(intake, this.#diagnosis);
    this.#arrival = new Signal(clock);
    this.card = new CardErrands({ keys, clock, onAdded: () => this.#arrival.notify() });
    this.#keys = keys;
    this.#intake = intake;
    sink.onReady = () => this.#arrival.notify();
  }

  /** As it is now; changes while the bridge runs. */
  get status(): BridgeStatus {
    return this.#counters.status;
  }

  /**
   * Takes in datagrams of the media port. What is held of them is copied, unless `keeper` keeps it where it lies.
   * @param sources where each came from, as a number for each address and port: senders are kept apart by it, so that
   *   none takes another one's place.
   */
  receiveMedia(datagrams: readonly Uint8Array[], sources: ArrayLike<number> = [], keeper?: PacketKeeper): void {
    const now = this.#clock.monotonic();
    this.#intake.add(datagrams, sources, now, keeper);
    this.#intake.expire(now);
    this.#lookAtStrangers(now);
    this.#arrival.notify();
  }

  #lookAtStrangers(now: number): void {
    const preference = this.#strangers.look(now);
    if (preference !== undefined) this.onPreference?.(preference);
  }

  /** Takes in datagrams of the key port. What is kept of them is copied. */
  receiveKeys(datagrams: readonly Uint8Array[], sources: ArrayLike<number> = []): void {
    const now = this.#clock.monotonic();
    for (const [i, datagram] of datagrams.entries()) {
      if (this.#keys.add(datagram, now, sources[i])) this.#arrival.notify();
    }
  }

  /** Takes in datagrams of the RTCP port. */
  receiveRtcp(datagrams: readonly Uint8Array[]): void {
    for (const datagram of datagrams) this.#bye.receive(datagram, this.#intake, this.#clock.monotonic());
    this.#arrival.notify();
  }

  /**
   * Runs until something of `run-end.ts` ends it, or `signal` aborts; then closes the session and lets go of the card.
   * @throws TransportError, TollcastError when there is no usable card to begin with.
   */
  async run(signal: AbortSignal): Promise<BridgeEnd> {
    this.#delivery.start();
    this.#diagnosis.markPlaying(this.#clock.monotonic());
    const stop = () => this.#finish('STOPPED');
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    try {
      return await this.#runToEnd();
    } finally {
      signal.removeEventListener('abort', stop);
      this.#arrival.close();
      this.#delivery.flush();
      this.#counters.stateChanged('ended', this.#end && END_MESSAGES[this.#end]);
      this.card.close();
      await this.#cards.release();
    }
  }

  async #runToEnd(): Promise<BridgeEnd> {
    try {
      if (this.#end === undefined) await this.#cards.connect(this.#over.signal);
      while (this.#end === undefined) await this.#playWhileCardIsThere();
    } catch (error) {
      // What waited for a card is broken off when the run ends.
      if (this.#end === undefined) throw error;
    }
    const code = this.#end;
    return { code, message: END_MESSAGES[code], bill: await this.#cards.settleRun() };
  }

  async #playWhileCardIsThere(): Promise<void> {
    try {
      await this.#play();
    } catch (error) {
      // Whatever a card does that it should not is over when it is selected anew.
      if (!(error instanceof TollcastError)) throw error;
      this.#delivery.flush();
      await this.#cards.reconnect(error, this.#over.signal);
    }
  }

  async #play(): Promise<void> {
    this.#counters.stateChanged('waiting for keys');
    let workingSince = this.#clock.monotonic();
    while (!this.#isOver()) {
      const worked = await this.#work();
      this.#delivery.flushBatch();
      const now = this.#clock.monotonic();
      if (!worked) {
        this.#lookAtStrangers(now);
        this.#delivery.flush();
        const described = this.#diagnosis.whyNothing(this.status, now);
        if (described !== undefined) this.#counters.stateChanged(...described);
        await this.#rest(now);
        workingSince = this.#clock.monotonic();
      } else if (now - workingSince > MAX_WORK) {
        this.#delivery.flush();
        await yieldTurn();
        workingSince = this.#clock.monotonic();
      }
    }
  }

  /** Deals with one key and one group. @returns whether there was something to do. */
  async #work(): Promise<boolean> {
    this.#arrival.reset();
    if (await this.card.runNext(this.#cards.module)) return true;
    const hadKey = await this.#loadKey();
    if (!this.#options.sink.isReady) {
      this.#askAhead();
      return hadKey;
    }
    const hadGroup = await this.#passGroup();
    return hadGroup || hadKey;
  }

  async #loadKey(): Promise<boolean> {
    const now = this.#clock.monotonic();
    const key = this.#keys.next(this.#strangers.canAsk(now));
    if (key === undefined) return false;
    const isStrange = key.sender.loaded === 0;
    const error = await this.#keys.load(this.#cards.module, key, now);
    if (isStrange) this.#strangers.asked(now, this.#clock.monotonic());
    if (error !== undefined) this.#diagnosis.keyRefused(error);
    return true;
  }

  /** Passes the group whose turn it is. @returns whether there was one that does not wait for its key. */
  async #passGroup(): Promise<boolean> {
    const now = this.#clock.monotonic();
    let keyMissing = false;
    for (const taken of this.#intake.take(now, this.#strangers.canAsk(now))) {
      this.#diagnosis.groupAsked(taken.card.header.packets);
      const outcome = await this.#gate.pass(taken, now);
      this.#strangers.groupPassed(taken, outcome, now, this.#clock.monotonic());
      if (outcome.kind === 'waitsForKey') {
        keyMissing = true;
        continue;
      }
      if (outcome.kind === 'waitsForConsent') {
        void this.#askConsent(outcome, taken.sender);
        continue;
      }
      this.#diagnosis.keyMissing = keyMissing;
      await this.#follow(outcome, taken, now);
      return true;
    }
    this.#diagnosis.keyMissing = keyMissing;
    return false;
  }

  /** Does what an outcome means for the run. */
  async #follow(outcome: GroupOutcome, { group, card }: TakenGroup, now: number): Promise<void> {
    switch (outcome.kind) {
      case 'opened':
        this.#diagnosis.markPlaying(now);
        this.#delivery.groupOpened(group.number);
        this.#bye.groupOpened(group.lastArrival, card.header.duration);
        this.#counters.stateChanged('playing');
        await this.#cards.lookIntoPurse(now);
        return;
      case 'refused':
        this.#counters.stateChanged('refused', outcome.error.message);
        return;
      case 'stopped':
        await this.#cardStopped(outcome.reason);
        return;
      case 'pinNeeded':
        this.#finish('PIN_NEEDED');
        return;
      case 'cardFaulty':
        this.#finish('CARD_FAULT');
        return;
      case 'waitsForKey':
      case 'waitsForConsent':
      case 'waitsForPackets':
      case 'waitsForEnd':
      case 'askedAgain':
      case 'dropped':
      case 'damaged':
        return;
      case 'held':
        // What is let go so is a sign that the stream plays.
        this.#diagnosis.markPlaying(now);
        return;
    }
  }

  /** While nobody takes the output nothing is opened, but what it will cost can be settled. */
  #askAhead(): void {
    if (this.#consent.isAsking) return;
    for (const taken of this.#intake.take(this.#clock.monotonic())) {
      const price = this.#gate.findPrice(taken);
      if (price !== undefined) void this.#askConsent(price, taken.sender);
    }
  }

  /** Asks whether a price is paid. The stream goes on meanwhile, unpaid. */
  async #askConsent({ service, tariff }: NewPrice, sender: MediaSender): Promise<void> {
    const { purse } = this.status;
    if (this.#consent.isAsking || purse === undefined) return;
    this.#counters.stateChanged('waiting for your consent');
    const { currency, balance } = purse;
    const octetsPerHour = () => sender.pace.perHour(this.#clock.monotonic());
    const offer = { service, tariff, currency, balance, octetsPerHour };
    const isAccepted = await this.#consent.ask(offer, this.#over.signal).catch(() => false);
    if (isAccepted === false) this.#finish('PRICE_NOT_ACCEPTED');
    this.#arrival.notify();
  }

  async #cardStopped(reason: StopReason): Promise<void> {
    this.#delivery.flush();
    const before = await this.#cards.stop(reason);
    if (!(await this.#cards.isHelped(reason, before))) {
      if (this.#options.waitForCredit !== true) return this.#finish(reason);
      this.#counters.stateChanged('waiting for credit', END_MESSAGES[reason]);
      await this.#cards.waitForResources(reason, before, this.#over.signal);
    }
    this.#counters.stateChanged('waiting for keys');
  }

  #finish(code: EndCode): void {
    this.#end ??= code;
    this.#over.abort();
    this.#arrival.notify();
  }

  #checkBye(): void {
    if (this.#bye.isOver(this.#intake, this.#clock.monotonic(), () => this.#isBlocked())) this.#finish('BYE');
  }

  /** Whether no group can be opened at present. */
  #isBlocked(): boolean {
    const { state } = this.status;
    if (state !== 'playing' && state !== 'waiting for the stream') return true;
    return this.#consent.isAsking || !this.#options.sink.isReady || !this.#keys.hasContent;
  }

  #isOver(): boolean {
    this.#checkBye();
    return this.#end !== undefined;
  }

  /** Waits until something comes in or falls due. */
  async #rest(now: number): Promise<void> {
    const isBlocked = this.#diagnosis.keyMissing || !this.#options.sink.isReady;
    const due = isBlocked ? Infinity : this.#intake.dueAt - now;
    await this.#arrival.wait(Math.min(Math.max(due, 1), MAX_REST));
  }
}
