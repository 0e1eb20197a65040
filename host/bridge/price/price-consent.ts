import type { Tariff, TariffKind } from '../../../apdu/decode-module/money/tariff.ts';
import type { DecidePrice, PriceOffer } from './price-offer.ts';

/** Knows which prices were accepted. What is not is asked for, once, while the stream goes on unpaid. */
export class PriceConsent {
  readonly #decide: DecidePrice | undefined;
  /** Micro-units up to which each kind of tariff was accepted, by service. */
  readonly #accepted = new Map<number, Map<TariffKind, bigint>>();
  /** What was accepted last, by service. */
  readonly #last = new Map<number, Tariff>();
  #isAsking = false;

  /** @param decide by default every price is accepted. */
  constructor(decide: DecidePrice | undefined) {
    this.#decide = decide;
  }

  /** Whether an answer is waited for. */
  get isAsking(): boolean {
    return this.#isAsking;
  }

  /** Whether something may be paid at this price: it was accepted, or a higher one of its kind. */
  isAccepted(service: number, { kind, price }: Tariff): boolean {
    if (this.#decide === undefined) return true;
    const accepted = this.#accepted.get(service)?.get(kind);
    return accepted !== undefined && price <= accepted;
  }

  /**
   * Asks for the decision, unless another one is waited for.
   * @returns whether it was accepted; undefined when nothing was asked.
   */
  async ask(offer: Omit<PriceOffer, 'before'>, signal: AbortSignal): Promise<boolean | undefined> {
    if (this.#isAsking || this.#decide === undefined) return undefined;
    const { service, tariff } = offer;
    this.#isAsking = true;
    try {
      const isAccepted = await this.#decide({ ...offer, before: this.#last.get(service) }, signal);
      if (isAccepted) this.#accept(service, tariff);
      return isAccepted;
    } finally {
      this.#isAsking = false;
    }
  }

  #accept(service: number, tariff: Tariff): void {
    const kinds = this.#accepted.get(service) ?? new Map<TariffKind, bigint>();
    this.#accepted.set(service, kinds.set(tariff.kind, tariff.price));
    this.#last.set(service, tariff);
  }
}
