import type { DecidePrice, PriceOffer } from '../../bridge/index.ts';
import { type Clock, systemClock } from '../../clock/clock.ts';
import { currencyByNumber } from '../../money/currency.ts';
import { formatPrice } from '../../money/price.ts';
import type { PriceOptions } from '../options/price-option.ts';
import { canAsk, confirm } from '../terminal/ask.ts';
import { describeOffer } from './price-question.ts';

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

  readonly decide: DecidePrice = async (offer, signal) => {
    const { maxPrice } = this.#options;
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

function isWithin({ tariff, currency }: PriceOffer, { maxPrice }: PriceOptions): boolean {
  return maxPrice.some(
    (max) => max.tariff.kind === tariff.kind && max.currency?.number === currency && tariff.price <= max.tariff.price,
  );
}
