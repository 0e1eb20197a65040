import type { Tariff } from '../../../apdu/decode-module/money/tariff.ts';

/** A price that nothing has been paid at yet. The card found the message that names it authentic. */
export interface PriceOffer {
  readonly service: number;
  readonly tariff: Tariff;
  /** ISO 4217 number of the card's purse. */
  readonly currency: number;
  /** Micro-units. */
  readonly balance: bigint;
  /** What was last accepted of this service; undefined before the first toll. */
  readonly before: Tariff | undefined;
  /** Octets that come in an hour, as of now; 0n while that is not known. They are counted before anything is opened. */
  octetsPerHour(): bigint;
}

/**
 * Decides whether a price is paid.
 * @param signal aborts when the run ends without the answer.
 */
export type DecidePrice = (offer: PriceOffer, signal: AbortSignal) => Promise<boolean>;
