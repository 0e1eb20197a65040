import type { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { TollcastError } from '../../../apdu/errors.ts';
import type { Clock } from '../../clock/clock.ts';
import { waitForCard } from '../../transport/card/wait-for-card.ts';
import type { KeyLoader } from '../keys/key-loader.ts';
import type { Bill } from '../run-end.ts';
import type { Notices } from '../status/notices.ts';
import type { StatusCounters } from '../status/status-counters.ts';
import type { CardSession } from './card-session.ts';
import { isResolved, type Resources, type StopReason, warnOfReceipts } from './stop-reason.ts';

/** ms from when a card has gone to the first attempt to open it, then between attempts: first, at most. */
const FIRST_ATTEMPT = 200;
const ATTEMPTS = [300, 1000] as const;
/** ms between looks whether a card that stopped has been loaded. */
const RESOURCES_EVERY = 2000;
/** ms after which a spend limit is tried again: a new day may have begun. */
const SPEND_LIMIT_RETRY = 600_000;

export interface CardWatchOptions {
  readonly session: CardSession;
  readonly keys: KeyLoader;
  readonly counters: StatusCounters;
  readonly notices: Notices;
  readonly clock: Clock;
  /** ms between looks into the purse while it is being used. */
  readonly purseEvery: number;
  /** Ends the run when it is to end; then the signal of the run aborts. Called while there is no card. */
  readonly checkEnd: () => void;
  /** Called when the card was selected, for the first time or again. */
  readonly onConnected: () => void;
  /** Delivers the receipts of a card. @returns whether it could. */
  readonly deliverReceipts?: ((module: DecodeModule) => Promise<boolean>) | undefined;
}

/** Connects the card of a run, waits for its return when it has gone, and for credit when it has none. */
export class CardWatch {
  readonly #options: CardWatchOptions;
  #purseReadAt = -Infinity;
  #groupsAtPurseRead = 0;
  /** What the run has come to, while the card is let go so that it can be loaded. */
  #bill: Bill | undefined;

  constructor(options: CardWatchOptions) {
    this.#options = options;
  }

  /** @throws CardGoneError when no card is connected. */
  get module(): DecodeModule {
    return this.#options.session.module;
  }

  /** @throws as `CardSession.connect` does. */
  async connect(signal: AbortSignal): Promise<void> {
    const { session, keys, counters, notices, onConnected } = this.#options;
    await session.connect(signal);
    counters.cardConnected(session);
    keys.reset(session.serial, await session.module.listKeys());
    notices.forget();
    const warning = warnOfReceipts(session.purse?.receiptsDue ?? 0);
    if (warning !== undefined) notices.say(warning);
    onConnected();
  }

  /**
   * Waits for the card of the run to come back.
   * @param cause why it has gone.
   * @throws the signal's reason when it aborts.
   */
  async reconnect(cause: Error, signal: AbortSignal): Promise<void> {
    const { counters, notices, clock } = this.#options;
    counters.stateChanged('waiting for the card', cause.message);
    await clock.sleep(FIRST_ATTEMPT, signal);
    await waitForCard(() => this.#attempt(signal), {
      signal,
      clock,
      pauses: ATTEMPTS,
      isTemporary: () => true,
      onWaiting: (reason) => {
        if (reason.code === 'OTHER_CARD') notices.say(reason.message);
      },
    });
    notices.say(`card ${counters.status.card} is back`);
  }

  /**
   * Settles the session of a card that stopped.
   * @returns what the card had then.
   * @throws CardGoneError, TransportError.
   */
  async stop(reason: StopReason): Promise<Resources> {
    const { session, counters } = this.#options;
    this.#bill = await this.#settle();
    const before = await session.readResources();
    counters.cardStopped(reason, before.day);
    return before;
  }

  /**
   * Waits until what stopped the card has been changed. In the meantime other programs can have the card: they load it.
   * @throws the signal's reason when it aborts.
   */
  async waitForResources(reason: StopReason, before: Resources, signal: AbortSignal): Promise<void> {
    const { session, counters, clock } = this.#options;
    const retryAt = clock.monotonic() + SPEND_LIMIT_RETRY;
    for (;;) {
      await session.release();
      await clock.sleep(RESOURCES_EVERY, signal);
      if (!(await this.#tryConnect(signal))) continue;
      // Only a group of a new day shows that a new day has begun.
      const tryAgain = reason === 'SPEND_LIMIT' && clock.monotonic() >= retryAt;
      if (tryAgain || isResolved(reason, before, await session.readResources())) break;
    }
    this.#bill = undefined;
    counters.cardResumed();
  }

  /**
   * Has the receipts of a card that stopped for them delivered, where somebody takes them.
   * @returns whether the card goes on.
   * @throws CardGoneError, TransportError.
   */
  async isHelped(reason: StopReason, before: Resources): Promise<boolean> {
    const { session, counters, deliverReceipts } = this.#options;
    if (reason !== 'RECEIPTS_DUE' || (await deliverReceipts?.(session.module)) !== true) return false;
    if (!isResolved(reason, before, await session.readResources())) return false;
    this.#bill = undefined;
    counters.cardResumed();
    return true;
  }

  /** Reads the purse now and then, if groups were opened since. */
  async lookIntoPurse(now: number): Promise<void> {
    const { session, counters, purseEvery } = this.#options;
    const { groups } = counters.status;
    if (now - this.#purseReadAt < purseEvery || groups === this.#groupsAtPurseRead) return;
    this.#purseReadAt = now;
    this.#groupsAtPurseRead = groups;
    counters.purseRead(await session.readPurse());
  }

  /** Settles the session at the end of the run. @returns undefined when the card has gone before it was settled. */
  async settleRun(): Promise<Bill | undefined> {
    return (await this.#settle()) ?? this.#bill;
  }

  /** Closes the card, so that other programs can have it. */
  async release(): Promise<void> {
    await this.#options.session.release();
  }

  async #settle(): Promise<Bill | undefined> {
    const { session, counters } = this.#options;
    try {
      counters.purseRead(await session.settle());
      return await session.readBill();
    } catch (error) {
      if (error instanceof TollcastError) return undefined;
      throw error;
    }
  }

  /** @returns whether the card is there. */
  async #tryConnect(signal: AbortSignal): Promise<boolean> {
    try {
      await this.#attempt(signal);
      return true;
    } catch (error) {
      if (!(error instanceof TollcastError)) throw error;
      if (error.code === 'OTHER_CARD') this.#options.notices.say(error.message);
      return false;
    }
  }

  async #attempt(signal: AbortSignal): Promise<void> {
    this.#options.checkEnd();
    signal.throwIfAborted();
    await this.connect(signal);
  }
}
