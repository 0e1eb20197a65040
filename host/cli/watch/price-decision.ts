import type { TariffKind } from '../../../apdu/decode-module/money/tariff.ts';
import { TollcastError } from '../../../apdu/errors.ts';
import type { DecidePrice, PriceOffer } from '../../bridge/index.ts';
import { describeOffer } from '../../bridge/price/describe-offer.ts';
import { type Clock, systemClock } from '../../clock/clock.ts';
import type { Offer, PriceBasis, PriceComponent } from '../../contract/offer/offer.ts';
import { currencyByNumber } from '../../money/currency.ts';
import { formatPrice, type Price } from '../../money/price.ts';
import { formatOfferPrice, isPaidByUser } from '../channels/describe-offer.ts';
import type { PriceOptions } from '../options/price-option.ts';
import { canAsk, confirm } from '../terminal/ask.ts';

/** ms of the stream from which an hour's cost is told when somebody is asked. */
const MEASURE = 1000;

/** Where prices and questions are shown. */
interface PricePrinter {
  print(line: string): void;
  /** Keeps everything else off the terminal until the work is done. */
  whileAsking<T>(work: () => Promise<T>): Promise<T>;
}

/** Decides what may be paid: as the command line says, else as the user answers at the terminal, else nothing. */
export class PriceDecision {
  readonly #options: PriceOptions;
  readonly #printer: PricePrinter;
  readonly #clock: Clock;
  /** The channel that was accepted at the prices of its offer. */
  #channel: Offer | undefined;
  /** Why the last price was not accepted, and what to type. */
  refusal: string | undefined;

  constructor(options: PriceOptions, printer: PricePrinter, clock: Clock = systemClock) {
    this.#options = options;
    this.#printer = printer;
    this.#clock = clock;
  }

  /** What the user has to know before there is a price; undefined when nothing is amiss. */
  get warning(): string | undefined {
    if (this.#isAnswered || canAsk()) return undefined;
    return 'there is no terminal to ask at, so only what is free is opened; allow more with --max-price PRICE or --yes';
  }

  /**
   * Decides whether a channel is joined at the prices of its offer; the card's tolls within them are then paid unasked.
   * @throws TollcastError `PRICE_NOT_ACCEPTED`.
   */
  async acceptChannel(offer: Offer): Promise<void> {
    const { maxPrice } = this.#options;
    const paid = offer.components.filter(isPaidByUser);
    const text = `${offer.name} costs ${formatOfferPrice(offer)}`;
    const isAllowed =
      paid.length === 0 ||
      (maxPrice.length > 0 ? paid.every((one) => isAllowedBy(one, offer, maxPrice)) : this.#options.yes === true);
    if (isAllowed) this.#printer.print(text);
    const isAccepted =
      isAllowed ||
      (!this.#isAnswered && canAsk() && (await this.#printer.whileAsking(() => confirm(`${text}. Join it?`))));
    if (!isAccepted) {
      throw new TollcastError(
        'PRICE_NOT_ACCEPTED',
        `${text}; this was not accepted, so it was not joined. To join it start again with --yes, or with --max-price ` +
          'for each unit',
      );
    }
    this.#channel = offer;
  }

  readonly decide: DecidePrice = async (offer, signal) => {
    const { maxPrice } = this.#options;
    if (this.#channel !== undefined && isWithinChannel(offer, this.#channel)) return true;
    if (offer.tariff.kind !== 'free' && !this.#isAnswered && canAsk()) return this.#askUser(offer, signal);
    const offered = describeOffer(offer);
    this.#printer.print(offered);
    if (offer.tariff.kind === 'free') return true;
    if (maxPrice.length === 0 && this.#options.yes === true) return true;
    if (isWithin(offer, this.#options)) return true;
    const price = formatPrice({ tariff: offer.tariff, currency: currencyByNumber(offer.currency) });
    const why = maxPrice.length === 0 ? 'nobody was asked' : 'that is not within --max-price';
    this.refusal = `${offered}; ${why}, so nothing was paid at it; to pay it start again with --max-price "${price}"`;
    return false;
  };

  /** Whether the command line says what may be paid. */
  get #isAnswered(): boolean {
    return this.#options.yes === true || this.#options.maxPrice.length > 0;
  }

  async #askUser(offer: PriceOffer, signal: AbortSignal): Promise<boolean> {
    // A moment of the stream tells what an hour of it costs.
    if (offer.tariff.kind === 'octets') await this.#clock.sleep(MEASURE, signal).catch(() => undefined);
    if (signal.aborted) return false;
    const offered = describeOffer(offer);
    const isAccepted = await this.#printer.whileAsking(() => confirm(`${offered}. Pay it?`));
    if (!isAccepted) this.refusal = `${offered}; this was not accepted, so nothing was paid at it`;
    return isAccepted;
  }
}

function isAllowedBy({ basis, price }: PriceComponent, { currency }: Offer, maxPrice: readonly Price[]): boolean {
  const kind = tariffOf(basis);
  return maxPrice.some(
    (max) => max.tariff.kind === kind && max.currency?.code === currency?.code && price <= max.tariff.price,
  );
}

function isWithinChannel({ service, tariff, currency }: PriceOffer, offer: Offer): boolean {
  if (service !== offer.service) return false;
  if (tariff.kind === 'free') return true;
  return (
    currency === offer.currency?.number &&
    offer.components.some(
      ({ settlement, basis, price }) =>
        settlement === 'purse' && tariffOf(basis) === tariff.kind && tariff.price <= price,
    )
  );
}

/** The tariff by which a card takes a price. */
function tariffOf(basis: PriceBasis): TariffKind {
  return basis === 'programme' || basis === 'period' ? 'flat' : basis;
}

function isWithin({ tariff, currency }: PriceOffer, { maxPrice }: PriceOptions): boolean {
  return maxPrice.some(
    (max) => max.tariff.kind === tariff.kind && max.currency?.number === currency && tariff.price <= max.tariff.price,
  );
}
