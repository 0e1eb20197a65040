import { setImmediate as yieldTurn } from 'node:timers/promises';
import { ModuleError } from '../../apdu/decode-module/module-status.ts';
import { TollcastError } from '../../apdu/errors.ts';
import { ClearWriter } from '../stream/opening/clear-packets.ts';
import type { StreamDrop } from '../stream/opening/group-assembler.ts';
import { GroupOpener } from '../stream/opening/group-opener.ts';
import type { BridgeEnd, BridgeOptions, EndCode } from './bridge-options.ts';
import { type BridgeState, type BridgeStatus, openAccount } from './bridge-status.ts';
import { ByeWatch } from './bye-watch.ts';
import { type Bill, CardSession } from './card-session.ts';
import { KeyLoader } from './key-loader.ts';
import {
  isResolved,
  receiptsSoon,
  type Resources,
  STOP_MESSAGES,
  type StopReason,
  stopReasonOf,
} from './stop-reason.ts';
import { MediaIntake } from './media-intake.ts';
import { Notices } from './notices.ts';
import { pause } from './pause.ts';
import { TollGate } from './toll-gate.ts';
import { WakeUp } from './wake-up.ts';
import { keyAdvice, whyNothing, whyOverflow } from './why-nothing.ts';

/** ms without a packet from which on the stream counts as silent. */
const SILENCE = 2000;
/** ms between looks when nothing but a key, a player or time can help. */
const LONG_LOOK = 100;
/** ms of work after which the sockets get their turn. */
const TURN = 5;
/** Octets after which clear packets are passed on, also when more are at hand. */
const BATCH = 64 * 1024;
/** ms between attempts to open a card that has gone: from, to. */
const BACK_OFF = [200, 1000] as const;
/** ms between looks for credit. */
const CREDIT_LOOK = 2000;
/** ms after which a day may have passed. */
const SPEND_LOOK = 600_000;

/** Takes packets and keys in, asks the card group by group, passes on what it opens. One run each. */
export class Bridge {
  readonly #options: BridgeOptions;
  readonly #account = openAccount();
  readonly #session: CardSession;
  readonly #keys: KeyLoader;
  readonly #intake: MediaIntake;
  readonly #writer = new ClearWriter();
  readonly #bye = new ByeWatch();
  readonly #gate: TollGate;
  readonly #wakeUp = new WakeUp();
  #startedAt = now();
  readonly #notices: Notices;
  #end: { readonly code: EndCode; readonly message: string } | undefined;
  #purseAt = -Infinity;
  #groupsAtPurse = 0;
  #openedAt = -Infinity;
  /** Packets of the newest group asked about; 0 before. */
  #n = 0;
  /** While the card is let go so that it can be loaded: what the run has come to. */
  #bill: Bill | undefined;
  /** Whether the group whose turn it is in some stream waits for its key. */
  #keyMissing = false;

  constructor(options: BridgeOptions) {
    const { minShare = 50, service } = options;
    const account = this.#account;
    this.#options = options;
    account.service = service;
    this.#notices = new Notices((line) => options.onNotice?.(line));
    this.#session = new CardSession(options.open, () => account.commands++, options.pin);
    this.#keys = new KeyLoader(
      (reason, messages) => (account.drops[reason] += messages),
      (confirm) => options.onConfirm?.(confirm),
      service,
    );
    this.#intake = new MediaIntake((reason, packets) => this.#streamDrop(reason, packets), options.stream);
    const opener = new GroupOpener(options.aead);
    this.#gate = new TollGate(this.#session, this.#keys, opener, this.#writer, account, this.#notices, minShare);
    options.sink.onReady = () => this.#wakeUp.ring();
  }

  /** As it is now; changes while the bridge runs. */
  get status(): BridgeStatus {
    return this.#account;
  }

  /** Takes in copies of datagrams of the media port. */
  media(datagrams: readonly Uint8Array[]): void {
    const time = now();
    this.#intake.add(datagrams, time);
    this.#intake.expire(time);
    this.#wakeUp.ring();
  }

  /** Takes in copies of datagrams of the key port. */
  keys(datagrams: readonly Uint8Array[]): void {
    const time = now();
    for (const datagram of datagrams) if (this.#keys.add(datagram, time)) this.#wakeUp.ring();
  }

  /** Takes in datagrams of the RTCP port. */
  rtcp(datagrams: readonly Uint8Array[]): void {
    for (const datagram of datagrams) this.#bye.hear(datagram, this.#intake, now());
    this.#wakeUp.ring();
  }

  /**
   * Runs until the stream ends, `signal` aborts, or the purse gives no more; then closes the session and lets go of the card.
   * @throws TransportError, TollcastError when there is no usable card to begin with.
   */
  async run(signal: AbortSignal): Promise<BridgeEnd> {
    this.#startedAt = now();
    const stop = () => this.#finish('STOPPED', 'stopped');
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    try {
      if (this.#end === undefined) await this.#connect(signal);
      while (this.#end === undefined) await this.#whileCardIsThere(signal);
      return { ...this.#end, bill: (await this.#settle()) ?? this.#bill };
    } catch (error) {
      if (this.#end === undefined) throw error;
      return { ...this.#end, bill: this.#bill };
    } finally {
      signal.removeEventListener('abort', stop);
      this.#flush();
      this.#state('ended', this.#end?.message);
      await this.#session.release();
    }
  }

  async #whileCardIsThere(signal: AbortSignal): Promise<void> {
    try {
      await this.#play(signal);
    } catch (error) {
      // Whatever a card does that it should not is over when it is selected anew.
      if (!(error instanceof TollcastError)) throw error;
      this.#flush();
      await this.#reconnect(error, signal);
    }
  }

  async #play(signal: AbortSignal): Promise<void> {
    this.#state('waiting for keys');
    let turnFrom = now();
    while (!this.#isOver()) {
      const worked = await this.#work(signal);
      if (this.#writer.octets >= BATCH) this.#flush();
      const time = now();
      if (!worked) {
        this.#flush();
        this.#describe(time);
        await this.#idle(time);
        turnFrom = now();
      } else if (time - turnFrom > TURN) {
        this.#flush();
        await yieldTurn();
        turnFrom = now();
      }
    }
  }

  /** One key and one group, if there are. @returns whether there was something to do. */
  async #work(signal: AbortSignal): Promise<boolean> {
    this.#wakeUp.attend();
    const key = this.#keys.next();
    if (key !== undefined) {
      const error = await this.#keys.load(this.#session.module, key, now());
      if (error !== undefined && error.code !== 'UNKNOWN_KEY' && error.code !== 'CRYPTO')
        this.#notices.say(keyAdvice(error, this.#options.pin !== undefined));
    }
    if (!this.#options.sink.isReady) return key !== undefined;
    const opened = await this.#passOne(signal);
    return opened || key !== undefined;
  }

  /** Asks about one group. @returns whether there was one that does not wait for its key. */
  async #passOne(signal: AbortSignal): Promise<boolean> {
    const time = now();
    let keyMissing = false;
    for (const taken of this.#intake.take(time)) {
      this.#n = taken.card.header.packets;
      const passage = await this.#gate.pass(taken, time);
      if (passage === 'waits for its key') {
        keyMissing = true;
        continue;
      }
      this.#keyMissing = keyMissing;
      if (passage === 'opened') {
        this.#openedAt = time;
        this.#bye.opened(taken.group.lastArrival);
        this.#state('playing');
        await this.#lookIntoPurse(time);
      } else if (passage instanceof ModuleError) {
        await this.#refused(passage, signal);
      }
      const { failure } = this.#gate;
      if (failure !== undefined) this.#finish(failure.code, failure.message);
      return true;
    }
    this.#keyMissing = keyMissing;
    return false;
  }

  async #refused(error: ModuleError, signal: AbortSignal): Promise<void> {
    if (error.code === 'SECURITY') {
      return this.#finish('PIN_NEEDED', 'this card opens nothing without its PIN; start again with --pin');
    }
    const reason = stopReasonOf(error);
    if (reason === undefined) {
      this.#state('refused', error.message);
      return;
    }
    this.#flush();
    const message = STOP_MESSAGES[reason];
    this.#bill = await this.#settle();
    const before = await this.#session.resources();
    this.#account.stopReason = reason;
    if (this.#options.waitForCredit === true) {
      this.#state('waiting for credit', message);
      await this.#waitForResources(reason, before, signal);
    } else {
      this.#finish(reason, message);
    }
  }

  async #waitForResources(reason: StopReason, before: Resources, signal: AbortSignal): Promise<void> {
    const retryAt = now() + SPEND_LOOK;
    while (!this.#isOver()) {
      // Others can have the card in the meantime: it is they who load it.
      await this.#session.release();
      await pause(CREDIT_LOOK, signal);
      if (!(await this.#tryConnect(signal))) continue;
      // Only a group of a new day tells that a new day has begun.
      const tryAgain = reason === 'SPEND_LIMIT' && now() >= retryAt;
      if (isResolved(reason, before, await this.#session.resources()) || tryAgain) {
        this.#bill = undefined;
        this.#account.stopReason = undefined;
        this.#state('waiting for keys');
        return;
      }
    }
  }

  async #connect(signal: AbortSignal): Promise<void> {
    await this.#session.connect(signal);
    this.#account.card = this.#session.cardId;
    this.#account.purse = this.#session.purse;
    this.#account.trusted = this.#session.trusted;
    this.#keys.reset(this.#session.serial);
    this.#notices.renew();
    const soon = receiptsSoon(this.#session.purse!.receiptsDue);
    if (soon !== undefined) this.#notices.say(soon);
  }

  /** @returns whether the card is there. */
  async #tryConnect(signal: AbortSignal): Promise<boolean> {
    try {
      await this.#connect(signal);
      return true;
    } catch (error) {
      if (!(error instanceof TollcastError) && !signal.aborted) throw error;
      if (error instanceof TollcastError && error.code === 'OTHER_CARD') this.#notices.say(error.message);
      return false;
    }
  }

  async #reconnect(cause: Error, signal: AbortSignal): Promise<void> {
    this.#state('waiting for the card', cause.message);
    let wait: number = BACK_OFF[0];
    while (!this.#isOver()) {
      await pause(wait, signal);
      wait = Math.min(1.5 * wait, BACK_OFF[1]);
      if (await this.#tryConnect(signal)) {
        this.#notices.say(`card ${this.#account.card} is back`);
        return;
      }
    }
  }

  async #lookIntoPurse(time: number): Promise<void> {
    const { purseEvery = 1000 } = this.#options;
    if (time - this.#purseAt < purseEvery || this.#account.groups === this.#groupsAtPurse) return;
    this.#purseAt = time;
    this.#groupsAtPurse = this.#account.groups;
    this.#account.purse = await this.#session.readPurse();
  }

  async #settle(): Promise<Bill | undefined> {
    try {
      this.#account.purse = await this.#session.settle();
      return await this.#session.bill();
    } catch (error) {
      if (error instanceof TollcastError) return undefined;
      throw error;
    }
  }

  #finish(code: EndCode, message: string): void {
    this.#end ??= { code, message };
    this.#wakeUp.ring();
  }

  /** Whether the run is to end; looks for the end of the stream too. */
  #isOver(): boolean {
    if (this.#bye.over(this.#intake, now())) this.#finish('BYE', 'the sender ended the stream');
    return this.#end !== undefined;
  }

  #flush(): void {
    if (this.#writer.packets === 0) return;
    this.#account.firstAfter ??= now() - this.#startedAt;
    this.#options.sink.write(this.#writer.written);
    this.#writer.clear();
  }

  /** Waits until something comes in or falls due. */
  async #idle(time: number): Promise<void> {
    const blocked = this.#keyMissing || !this.#options.sink.isReady;
    const due = blocked ? Infinity : this.#intake.dueAt - time;
    await this.#wakeUp.rest(Math.min(Math.max(due, 1), LONG_LOOK));
  }

  /** Says why nothing is opened, once it has been so for a while. */
  #describe(time: number): void {
    if (time - Math.max(this.#openedAt, this.#startedAt) < SILENCE / 2) return;
    const reason = whyNothing(this.#account.card, this.#keys, {
      isReady: this.#options.sink.isReady,
      silent: time - this.#intake.lastArrival > SILENCE,
    });
    if (reason !== undefined) this.#state(...reason);
  }

  #streamDrop(reason: StreamDrop, packets: number): void {
    const { isReady } = this.#options.sink;
    const hasKey = !this.#keyMissing && this.#keys.hasContent;
    const counted = reason === 'overflow' ? whyOverflow(this.#account.state, { isReady, hasKey }) : reason;
    this.#account.drops[counted] += packets;
    if (counted === 'cardSlow' && this.#n > 0) {
      this.#notices.say(
        `n = ${this.#n} is too small for this card, it cannot keep up; ask the operator for a larger --every, or take a faster card`,
      );
    }
  }

  #state(state: BridgeState, reason?: string): void {
    if (this.#account.state === state && this.#account.reason === reason) return;
    this.#account.state = state;
    this.#account.reason = reason;
    this.#options.onState?.(this.#account);
  }
}

/** ms of a clock that does not run backwards. */
const now = () => performance.now();
