import type { CardChannel } from '../../../apdu/card-channel.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { OutOfRangeError, TollcastError, TransportError } from '../../../apdu/errors.ts';
import { toHex } from '../../../apdu/octets.ts';
import type { Bridge } from '../../bridge/index.ts';
import { type Clock, systemClock } from '../../clock/clock.ts';
import type { Answer } from '../../contract/answers/answer.ts';
import { costsNoMore } from '../../contract/offer/costs-no-more.ts';
import type { SignedOffer } from '../../contract/offer/signed-offer.ts';
import { formatSession } from '../../contract/session/session-identity.ts';
import { leavePurchase } from '../../holder/leave.ts';
import { selectActive } from '../../holder/life.ts';
import { type Pin, presentPin } from '../../holder/pin.ts';
import { ReceiptCourier } from '../../holder/receipts/receipt-courier.ts';
import { deletePrivateHalves } from '../../holder/requests/delete-ended-purchase.ts';
import { KeptJoin } from '../../holder/requests/kept-join.ts';
import { requireWithinOffer } from '../../holder/requests/require-within-offer.ts';
import { type PostMessage, RequestRefusedError, Subscription } from '../../holder/requests/subscription.ts';
import { requestPinned } from '../../transport/network/pinned-https.ts';
import { formatOfferPrice, isOfferTrusted } from '../channels/describe-offer.ts';
import { fetchChannels } from '../channels/fetch-channels.ts';
import { formatTime } from '../terminal/time.ts';

/** Where requests go, and receipts. */
const REQUESTS = '/v1/requests';
const RECEIPTS = '/v1/receipts';
/** ms for an answer, while watching and when it is left. */
const ANSWER_TIME = 10_000;
const LAST_ANSWER_TIME = 3000;
/** Octets of an answer. */
const MAX_ANSWER = 65_536;

interface JoinedChannelOptions {
  readonly offer: SignedOffer;
  readonly bridge: Bridge;
  readonly warn: (line: string) => void;
  /** Called when the card has its first keys. */
  readonly onJoined?: () => void;
}

/** A channel that is joined while a bridge plays it. */
export class JoinedChannel {
  readonly #options: JoinedChannelOptions;
  readonly #clock: Clock = systemClock;
  readonly #subscription: Subscription;
  readonly #join: KeptJoin;
  readonly #courier: ReceiptCourier;
  /** The one that was accepted, or another that costs no more. */
  #offer: SignedOffer;
  #hasWarned = false;
  readonly #cardThere = Promise.withResolvers<void>();

  constructor(options: JoinedChannelOptions) {
    this.#options = options;
    const { offer, bridge, warn } = options;
    this.#offer = offer;
    this.#subscription = new Subscription({
      module: {
        signRequest: (kind, request) => bridge.card.use((module) => module.signRequest(kind, request)),
        loadKey: (message) => bridge.card.loadKey(message),
        listKeys: () => bridge.card.use((module) => module.listKeys()),
        deleteKey: (kind, service, keyId) => bridge.card.use((module) => module.deleteKey(kind, service, keyId)),
      },
      offer,
      post: postTo(offer, REQUESTS, ANSWER_TIME),
      clock: this.#clock,
    });
    this.#courier = new ReceiptCourier({
      use: (work) => bridge.card.use(work),
      post: postTo(offer, RECEIPTS, ANSWER_TIME),
      clock: this.#clock,
    });
    this.#join = new KeptJoin({
      subscription: this.#subscription,
      onJoined: () => options.onJoined?.(),
      offer,
      clock: this.#clock,
      onUnanswered: (until) =>
        warn(`the head-end does not answer, and is asked again; what was agreed holds until ${formatTime(until)}`),
      renewOffer: () => this.#renewOffer(),
      onNoRoom: (from) =>
        warn(
          `the card has no room for what comes at ${formatTime(from)}; that waits until a purchase of this channel has ended, ` +
            'or one is taken off the card: tollcast card leave SERVICE KEY --delete',
        ),
    });
  }

  /** The card was selected, for the first time or again. */
  cardSelected(): void {
    this.#cardThere.resolve();
    // A card that was pulled out has written a receipt since.
    this.#courier.wake();
    this.#join.cardReturned();
  }

  /** Whether a purchase that came by multicast is within the offer; the first one that is not is told. */
  acceptsPurchase(message: Uint8Array): boolean {
    try {
      requireWithinOffer(message, this.#offer);
      return true;
    } catch (error) {
      if (!(error instanceof TollcastError)) throw error;
      if (!this.#hasWarned) this.#options.warn(error.message);
      this.#hasWarned = true;
      return false;
    }
  }

  /** The card confirms a purchase that came by multicast. */
  confirm(confirm: Uint8Array): void {
    // Without it the head-end drops the member in time, and says so.
    this.#subscription.sendConfirm(confirm).catch(() => undefined);
  }

  /**
   * Joins once the card is there, and stays joined until the signal aborts.
   * @throws as `KeptJoin.run` does.
   */
  async run(signal: AbortSignal): Promise<void> {
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([this.#cardThere.promise, aborted]);
    if (signal.aborted) return;
    const delivering = this.#courier.run(signal);
    await this.#join.run(signal);
    await delivering;
  }

  /**
   * Delivers the receipts of a card that starts nothing new before.
   * @returns whether the head-end took them.
   */
  deliverReceipts(module: DecodeModule): Promise<boolean> {
    return this.#courier.deliver((work) => work(module), postTo(this.#offer, RECEIPTS, LAST_ANSWER_TIME));
  }

  /**
   * Leaves, after the run, and tells what was owed. The receipts of the run are delivered, too; those that are not are
   * delivered the next time.
   * @param open opens the card, which the bridge has let go.
   * @returns undefined when it was not joined, or not left: then it ends by itself.
   */
  async leave(open: () => Promise<CardChannel>, pin: Pin | undefined): Promise<Answer | undefined> {
    const agreed = this.#join.answer;
    if (agreed === undefined) return undefined;
    try {
      const channel = await open();
      try {
        const module = new DecodeModule(channel);
        await selectActive(module);
        if (pin !== undefined) await presentPin(module, pin);
        const left = await this.#leaveWith(module);
        await this.deliverReceipts(module);
        return left;
      } finally {
        await channel.close();
      }
    } catch (error) {
      if (error instanceof RequestRefusedError && error.problem.code === 'not-joined') return undefined;
      const isTooLate = error instanceof DOMException && error.name === 'TimeoutError';
      if (!(error instanceof TollcastError) && !isTooLate) throw error;
      this.#options.warn(`the channel could not be left: ${error.message}. It ends at ${formatTime(agreed.to)}`);
      return undefined;
    }
  }

  /** Fetches the offer anew, as one that has ended is not extended. */
  async #renewOffer(): Promise<boolean> {
    const { bridge, warn } = this.#options;
    const known = this.#offer;
    let failure: TransportError | undefined;
    for (const { url } of known.headEnds) {
      try {
        const offers = await fetchChannels(new URL(url), AbortSignal.timeout(ANSWER_TIME));
        const ofSession = offers.filter((one) => formatSession(one.session) === formatSession(known.session));
        const trusted = ofSession.find((one) => isOfferTrusted(one, bridge.status.trusted));
        if (trusted === undefined) return false;
        if (!costsNoMore(trusted, known)) {
          warn(`${known.name} costs ${formatOfferPrice(trusted)} now; to go on at that, start again`);
          return false;
        }
        if (toHex(trusted.sessionHash) === toHex(known.sessionHash)) return false;
        this.#offer = trusted;
        this.#subscription.renewOffer(trusted);
        return true;
      } catch (error) {
        if (!(error instanceof TransportError)) throw error;
        failure = error;
      }
    }
    if (failure !== undefined) throw failure;
    return false;
  }

  async #leaveWith(module: DecodeModule): Promise<Answer> {
    const offer = this.#offer;
    const post = postTo(offer, REQUESTS, LAST_ANSWER_TIME);
    const subscription = new Subscription({ module, offer, post, clock: this.#clock });
    // Whoever is billed for what it could open gives up what it holds, and its card signs that.
    const isBilled = offer.components.some(({ payer, settlement }) => payer === 'user' && settlement === 'invoice');
    const { now } = subscription;
    const held = (await module.listKeys()).find(
      ({ kind, service, to }) => kind === KIND.service && service === offer.service && to > now,
    );
    if (!isBilled || held === undefined) {
      const left = await subscription.leave();
      await deletePrivateHalves(module, offer.service);
      return left;
    }
    let record: Uint8Array;
    try {
      ({ record } = await leavePurchase(module, held, now));
    } catch (error) {
      // The card would end another purchase of this key id (protocol 4.5).
      if (!(error instanceof OutOfRangeError)) throw error;
      return subscription.leave();
    }
    return subscription.reportLeave(record);
  }
}

/** Sends to the head-ends of an offer, the next one when one does not answer. */
function postTo({ headEnds }: SignedOffer, path: string, timeout: number): PostMessage {
  return async (body) => {
    let failure = new TransportError('HTTPS', 'the offer names no head-end; ask its operator');
    for (const { url, tlsKey } of headEnds) {
      try {
        return await requestPinned({
          url: new URL(path, url),
          tlsKey,
          method: 'POST',
          headers: { 'content-type': 'application/octet-stream' },
          body,
          maxAnswer: MAX_ANSWER,
          timeout,
        });
      } catch (error) {
        if (!(error instanceof TransportError)) throw error;
        failure = error;
      }
    }
    throw failure;
  };
}
