import type { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { parseKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { ModuleError } from '../../../apdu/decode-module/module-status.ts';
import type { RequestKind } from '../../../apdu/decode-module/requests/signed-request.ts';
import { TollcastError, TransportError } from '../../../apdu/errors.ts';
import { OPEN_REQUEST_END } from '../../../apdu/layout/requests.ts';
import type { Clock } from '../../clock/clock.ts';
import { type Answer, parseAnswer } from '../../contract/answers/answer.ts';
import { parseProblem, type Problem } from '../../contract/answers/problem.ts';
import type { SignedOffer } from '../../contract/offer/signed-offer.ts';
import { deleteEndedPurchase } from './delete-ended-purchase.ts';
import { requireWithinOffer } from './require-within-offer.ts';

/** What a head-end answered over HTTP. */
export interface PostReply {
  readonly status: number;
  readonly body: Uint8Array;
}

/**
 * Sends octets to the head-end of an offer.
 * @throws TransportError when there is no answer; the same octets are then sent again.
 */
export type PostMessage = (octets: Uint8Array) => Promise<PostReply>;

/** The head-end refused a request. */
export class RequestRefusedError extends TollcastError {
  override readonly name = 'RequestRefusedError';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super('REQUEST_REFUSED', `the head-end refused: ${problem.detail}`);
    this.problem = problem;
  }
}

export interface SubscriptionOptions {
  readonly module: Pick<DecodeModule, 'signRequest' | 'loadKey' | 'listKeys' | 'deleteKey'>;
  /** As the viewer accepted it. */
  readonly offer: SignedOffer;
  readonly post: PostMessage;
  readonly clock: Clock;
  /** Loads a message into the card; where a bridge has turns of its own. @returns the card's confirm, if it has one. */
  readonly load?: (message: Uint8Array) => Promise<Uint8Array | undefined>;
}

/** ms until the same octets are sent again, after each attempt without an answer. */
const PAUSES = [500, 1000, 2000, 4000];

/**
 * What a receiver asks of the head-end of one offer, in the card's name. Answers are loaded into the card, and their
 * keys confirmed. Every method throws RequestRefusedError for a problem, TransportError when no attempt was answered,
 * TollcastError `ABOVE_OFFER` for a purchase that the offer does not cover, and what the card throws. What the card has no room for waits.
 */
export class Subscription {
  readonly #options: SubscriptionOptions;
  #offer: SignedOffer;
  /** Seconds by which the head-end's clock is ahead of ours, as far as it told us. */
  #offset = 0;
  /** What the card had no room for of the last keys, and what comes under it. */
  #waiting: readonly Uint8Array[] = [];
  #hasPurchase = false;

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    this.#offer = options.offer;
  }

  /** From now on requests are made under another offer of the same session, which the viewer accepts, too. */
  renewOffer(offer: SignedOffer): void {
    this.#offer = offer;
  }

  /** Seconds since 1970, by the head-end's clock once it has told that ours is wrong. */
  get now(): number {
    return Math.floor(this.#options.clock.now() / 1000) + this.#offset;
  }

  /** When the first purchase begins that the card has no room for, seconds since 1970; undefined when it has room. */
  get lacksRoomFrom(): number | undefined {
    const [first] = this.#waiting;
    return first === undefined ? undefined : parseKeyMessage(first).from;
  }

  /** Whether the card has taken a purchase of the last keys. */
  get hasPurchase(): boolean {
    return this.#hasPurchase;
  }

  /** Loads what the card had no room for, as far as it has some now; see `lacksRoomFrom`. */
  async loadWaiting(): Promise<void> {
    await this.#loadAll(this.#waiting);
  }

  /**
   * Asks for keys from now or later on.
   * @param to seconds since 1970, or whole slots.
   * @param from seconds since 1970; now when left out.
   */
  join(to: number, from?: number): Promise<Answer> {
    return this.#ask('join', to, from);
  }

  /** Asks for a later end. @param agreed the end that the last answer told. */
  extend(agreed: number, to: number): Promise<Answer> {
    return this.#ask('extend', to, agreed);
  }

  /** Ends the join earlier. @param to seconds since 1970; now when left out, 0 for the end of the slot. */
  leave(to?: number): Promise<Answer> {
    return this.#ask('leave', to);
  }

  /** Asks for the keys of the join anew. */
  requestKeys(): Promise<Answer> {
    return this.#ask('keyRequest', OPEN_REQUEST_END);
  }

  /** Says that the receiver is still there. */
  stay(): Promise<Answer> {
    return this.#ask('stay', 0);
  }

  /** Passes on the confirm of a purchase that came by the key port. @param confirm 48 octets. */
  async sendConfirm(confirm: Uint8Array): Promise<void> {
    const confirmed = await this.#post(confirm);
    if ('code' in confirmed) throw new RequestRefusedError(confirmed);
  }

  /**
   * Passes on a leave record.
   * @param record 48 octets.
   * @returns the answer. What had to be issued anew for other services is left to who has their offers.
   */
  async reportLeave(record: Uint8Array): Promise<Answer> {
    const reply = await this.#post(record);
    if ('code' in reply) return this.#take(reply);
    const { service } = this.#offer;
    const [own, others] = [true, false].map((isOwn) =>
      reply.messages.filter((message) => (parseKeyMessage(message).service === service) === isOwn),
    );
    await this.#take({ ...reply, messages: own! });
    return { ...reply, messages: others! };
  }

  async #ask(kind: RequestKind, to: number | undefined, from?: number): Promise<Answer> {
    const { service, sessionHash } = this.#offer;
    for (let isSecond = false; ; isSecond = true) {
      const { now } = this;
      const requestId = crypto.getRandomValues(new Uint8Array(8));
      const request = { service, from: from ?? now, to: to ?? now, requestId, sessionHash };
      const reply = await this.#post(await this.#options.module.signRequest(kind, request));
      if ('outcome' in reply || isSecond || !this.#setClock(reply)) return this.#take(reply);
    }
  }

  /** Sets the clock by a head-end that says that ours is wrong. @returns whether it said so. */
  #setClock({ code, now }: Problem): boolean {
    if (code !== 'skewed' || now === undefined) return false;
    this.#offset += now - this.now;
    return true;
  }

  async #post(octets: Uint8Array): Promise<Answer | Problem> {
    for (const pause of [...PAUSES, undefined]) {
      try {
        const { status, body } = await this.#options.post(octets);
        if (status === 200) return parseAnswer(body);
        const problem = parseProblem(body);
        if (problem.code !== 'unavailable' || pause === undefined) return problem;
      } catch (error) {
        if (!(error instanceof TransportError) || pause === undefined) throw error;
      }
      await this.#options.clock.sleep(pause);
    }
    throw new Error('the last attempt ends the loop');
  }

  async #take(reply: Answer | Problem): Promise<Answer> {
    if ('code' in reply) throw new RequestRefusedError(reply);
    for (const message of reply.messages) requireWithinOffer(message, this.#offer);
    if (reply.messages.length > 0) {
      this.#hasPurchase = false;
      await this.#loadAll(reply.messages);
    }
    return reply;
  }

  /** Loads messages in their order. Those that the card has no room for wait, and others go on. */
  async #loadAll(messages: readonly Uint8Array[]): Promise<void> {
    const confirms: Uint8Array[] = [];
    const waiting: Uint8Array[] = [];
    for (const message of messages) {
      if (waiting.some((parent) => isUnder(message, parent)) || !(await this.#load(message, confirms))) {
        waiting.push(message);
      }
    }
    this.#waiting = waiting;
    this.#hasPurchase ||= confirms.length > 0;
    // The picture waits for no confirm: they are sent when all keys are in the card.
    for (const confirm of confirms) await this.sendConfirm(confirm);
  }

  /**
   * Loads a message. Where the card has no room, purchases that have ended make it.
   * @param confirms gets the card's confirm, if it has one.
   * @returns whether there was room.
   */
  async #load(message: Uint8Array, confirms: Uint8Array[]): Promise<boolean> {
    const { module, clock, load = (octets) => module.loadKey(octets) } = this.#options;
    for (;;) {
      try {
        const confirm = await load(message);
        if (confirm !== undefined) confirms.push(confirm);
        return true;
      } catch (error) {
        if (!(error instanceof ModuleError) || error.code !== 'NO_ROOM') throw error;
      }
      const ownNow = Math.floor(clock.now() / 1000);
      if (!(await deleteEndedPurchase(module, this.#offer.service, this.now, ownNow))) return false;
    }
  }
}

function isUnder(message: Uint8Array, parent: Uint8Array): boolean {
  const [child, above] = [parseKeyMessage(message), parseKeyMessage(parent)];
  return child.parentKind === above.kind && child.parentId === above.keyId;
}
