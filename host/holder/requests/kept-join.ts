import { CardGoneError, TollcastError, TransportError } from '../../../apdu/errors.ts';
import type { Clock } from '../../clock/clock.ts';
import { type Answer, KEYS_AHEAD } from '../../contract/answers/answer.ts';
import type { Offer } from '../../contract/offer/offer.ts';
import { RequestRefusedError, type Subscription } from './subscription.ts';

export interface KeptJoinOptions {
  readonly subscription: Subscription;
  readonly offer: Offer;
  readonly clock: Clock;
  /** Called when it is joined and the card has its keys. */
  readonly onJoined?: () => void;
  /** Called when the head-end does not answer. @param until seconds since 1970: what was agreed holds until then. */
  readonly onUnanswered: (until: number) => void;
  /**
   * Called when the offer of the join has ended: fetches one of the same session, and gives it to the subscription.
   * @returns whether there is another one that need not be asked about, as it costs no more.
   * @throws TransportError when no head-end answers.
   */
  readonly renewOffer?: () => Promise<boolean>;
  /** Called when the card has no room for what it was given. @param from seconds since 1970: what it lacks begins then. */
  readonly onNoRoom?: (from: number) => void;
}

/** Seconds before the agreed end from which on an extension is asked for; an eighth of a join where that is less. */
const EXTEND_AHEAD = 60;
/** Seconds before the end of its keys until which everybody has asked for the next: not all ask at once. */
const KEYS_LATEST = 10;
/** Seconds until keys are asked for again that were not there yet. */
const KEYS_RETRY = 5;
/** Seconds until a card that had no room is tried again. */
const ROOM_RETRY = 5;
/** Seconds until a request is sent anew that no attempt brought an answer to. */
const RETRY = 5;

/**
 * Keeps a channel joined for as long as somebody watches: joins, extends before the agreed end, says that it is still
 * there where the offer wants to hear it, and asks for keys when the card has lost them, or when answers alone bring the
 * next.
 */
export class KeptJoin {
  readonly #options: KeptJoinOptions;
  #answer: Answer | undefined;
  /** Seconds, by the head-end's clock, when the head-end last heard of us. */
  #heardAt = 0;
  /** When the next segment key is asked for, by the head-end's clock. */
  #renewAt = Infinity;
  /** When what the card had no room for is loaded again, by the head-end's clock. */
  #roomAt = Infinity;
  #wake = new AbortController();
  #isCardEmpty = false;
  /** The head-end has no join of ours any more. */
  #isDropped = false;
  /** There is no offer to extend under; what was agreed holds to its end. */
  #isOfferOver = false;

  constructor(options: KeptJoinOptions) {
    this.#options = options;
  }

  /** The last answer that told the agreed times; undefined before the join. */
  get answer(): Answer | undefined {
    return this.#answer;
  }

  /** The card was selected anew, so what it held in RAM is gone. */
  cardReturned(): void {
    if (this.#answer === undefined) return;
    this.#isCardEmpty = true;
    this.#wake.abort();
  }

  /**
   * Joins, and stays joined until the signal aborts.
   * @throws RequestRefusedError, TollcastError `ABOVE_OFFER`, and `NO_ROOM` when there is no room for the first purchase;
   *   what the card throws.
   * @throws TransportError when the first join is not answered.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { subscription, offer } = this.#options;
    while (this.#answer === undefined && !signal.aborted) {
      try {
        const answer = await subscription.join(subscription.now + offer.joinLength);
        if (subscription.lacksRoomFrom !== undefined && !subscription.hasPurchase) await this.#leaveForRoom();
        this.#hear(answer);
        this.#options.onJoined?.();
      } catch (error) {
        if (!(error instanceof CardGoneError)) throw error;
      }
    }
    while (!signal.aborted) {
      await this.#sleepUntilDue(signal);
      if (!signal.aborted) await this.#askWhatIsDue(signal);
    }
  }

  #hear(answer: Answer): void {
    this.#answer = answer;
    this.#isDropped = false;
    this.#isOfferOver = false;
    this.#heardAt = this.#options.subscription.now;
    this.#planRenewal(answer);
  }

  /** Nothing can be opened, so nothing is to be owed. */
  async #leaveForRoom(): Promise<never> {
    // Where it is not heard, the head-end ends a join that is not confirmed.
    await this.#options.subscription.leave().catch(() => undefined);
    throw new TollcastError(
      'NO_ROOM',
      `the card has no room for a purchase of ${this.#options.offer.name}, which was left again; ` +
        'see what it holds: tollcast card info, and take one off: tollcast card leave SERVICE KEY --delete',
    );
  }

  get #extendAt(): number {
    const { from, to } = this.#answer!;
    const { joinLength, requestInterval } = this.#options.offer;
    if (this.#isOfferOver) return to;
    const latest = to - Math.min(EXTEND_AHEAD, Math.ceil(joinLength / 8));
    // Requests are sent at the start of a join and whole intervals after it, where these are that short.
    const due = from + Math.floor((latest - from) / requestInterval) * requestInterval;
    return due > this.#heardAt ? due : latest;
  }

  get #stayAt(): number {
    const { keepAlive } = this.#options.offer;
    return keepAlive === undefined ? Infinity : this.#heardAt + Math.ceil(keepAlive / 3);
  }

  /** The agreed end is that of the join: where nothing is kept of it, an answer to a key request has that of its keys. */
  #planRenewal({ keysUntil }: Answer): void {
    this.#planRoom();
    if (keysUntil === undefined || keysUntil >= this.#answer!.to) {
      this.#renewAt = Infinity;
      return;
    }
    const spread = Math.floor(Math.random() * (KEYS_AHEAD - KEYS_LATEST));
    this.#renewAt = Math.max(keysUntil - KEYS_AHEAD + spread, this.#options.subscription.now + KEYS_RETRY);
  }

  #planRoom(): void {
    const { subscription, onNoRoom } = this.#options;
    const from = subscription.lacksRoomFrom;
    if (from !== undefined && this.#roomAt === Infinity) onNoRoom?.(from);
    this.#roomAt = from === undefined ? Infinity : subscription.now + ROOM_RETRY;
  }

  async #sleepUntilDue(signal: AbortSignal): Promise<void> {
    const { clock, subscription } = this.#options;
    const seconds = Math.min(this.#extendAt, this.#stayAt, this.#renewAt, this.#roomAt) - subscription.now;
    if (this.#isCardEmpty || this.#isDropped || seconds <= 0) return;
    this.#wake = new AbortController();
    await clock.sleep(seconds * 1000, AbortSignal.any([signal, this.#wake.signal])).catch(() => undefined);
  }

  async #requestKeys(): Promise<void> {
    const answer = await this.#options.subscription.requestKeys();
    this.#heardAt = this.#options.subscription.now;
    this.#planRenewal(answer);
  }

  async #askWhatIsDue(signal: AbortSignal): Promise<void> {
    const { subscription, offer } = this.#options;
    const { to } = this.#answer!;
    try {
      if (this.#isDropped) {
        this.#hear(await subscription.join(subscription.now + offer.joinLength));
      } else if (this.#isCardEmpty) {
        await this.#requestKeys();
        this.#isCardEmpty = false;
      } else if (subscription.now >= to) {
        // The agreed end has passed, as while the head-end was away: this is a new join.
        this.#hear(await subscription.join(subscription.now + offer.joinLength));
      } else if (subscription.now >= this.#extendAt) {
        this.#hear(await subscription.extend(to, to + offer.joinLength));
      } else if (subscription.now >= this.#renewAt) {
        await this.#requestKeys();
      } else if (subscription.now >= this.#roomAt) {
        await subscription.loadWaiting();
        this.#planRoom();
      } else if (subscription.now >= this.#stayAt) {
        await subscription.stay();
        this.#heardAt = subscription.now;
      }
    } catch (error) {
      // The card is waited for before it is asked again.
      if (error instanceof CardGoneError) return;
      if (error instanceof TransportError) return this.#waitForAnswer(signal);
      if (!(error instanceof RequestRefusedError)) throw error;
      await this.#heedProblem(error, signal);
    }
  }

  /** @throws the refusal, when nothing can be done about it. */
  async #heedProblem(refused: RequestRefusedError, signal: AbortSignal): Promise<void> {
    switch (refused.problem.code) {
      case 'unavailable':
      case 'over-quota':
      case 'confirm-first':
        return this.#waitForAnswer(signal);
      case 'too-late':
      case 'not-joined':
        // It ended on the way, or the head-end has dropped us: a new join is next.
        if (this.#isDropped) throw refused;
        this.#isDropped = true;
        return;
      case 'unknown-offer':
        try {
          if ((await this.#options.renewOffer?.()) === true) return;
        } catch (error) {
          if (!(error instanceof TransportError)) throw error;
          return this.#waitForAnswer(signal);
        }
        if (this.#isOfferOver || this.#isDropped || this.#options.subscription.now >= this.#answer!.to) throw refused;
        this.#isOfferOver = true;
        return;
      default:
        throw refused;
    }
  }

  async #waitForAnswer(signal: AbortSignal): Promise<void> {
    const { clock, onUnanswered } = this.#options;
    onUnanswered(this.#answer!.to);
    await clock.sleep(RETRY * 1000, signal).catch(() => undefined);
  }
}
