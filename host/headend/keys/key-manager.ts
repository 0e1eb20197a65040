import { randomBytes } from 'node:crypto';
import type { ModuleClass } from '../../../apdu/decode-module/card-id.ts';
import { type Clock, systemClock } from '../../clock/clock.ts';
import type { Price } from '../../money/price.ts';
import type { DueMessages } from '../../stream/sealing/key-carousel.ts';
import type { ContentKeys, ContentPeriod } from '../sender/content-keys.ts';
import type { StreamStart } from '../sender/stream-start.ts';
import { deriveCeilings, type GroupLimits, sealGrant } from './grants/grant.ts';
import type { GrantedCard } from './grants/granted-cards.ts';
import { chooseQuantum } from './grants/quantum.ts';
import type { GrantNumbers } from './numbers/grant-numbers.ts';
import { KeySchedule } from './schedules/key-schedule.ts';

/** What is sold, and to whom. */
export interface KeyManagerOptions {
  /** u32, 1 and up. */
  readonly service: number;
  readonly stream: StreamStart;
  readonly price: Price;
  /** Micro-units that a card takes from its balance at a time; {@link chooseQuantum} chooses it when left out. */
  readonly quantum?: bigint | undefined;
  /** The only class of modules that may play; both when left out. */
  readonly accept?: ModuleClass | undefined;
  /** Least age that it is for, u8; for all when left out. */
  readonly rating?: number | undefined;
  readonly groupLimits: GroupLimits;
  /** Seconds for which the cards get the service key, from the start of the stream. */
  readonly granted: number;
  /** Most seconds of a content key, 20 and up. */
  readonly period: number;
  /** Seconds of a segment, 20 and up; the whole stream is one when left out. */
  readonly segment?: number | undefined;
  readonly cards: readonly GrantedCard[];
}

const SERVICE_KEY_ID = 1;
/** Media time of the last keys, a minute before the last that a u32 holds: a channel outlasts its purchases. */
const LAST_KEYS = 0xffff_ffff - 60;

/** Gives a sender its keys under one service key, which every granted card is sent under its own downlink key. */
export class KeyManager implements ContentKeys {
  readonly #schedule: KeySchedule;
  readonly #grants: readonly Uint8Array[];
  readonly #start: number;
  /** Media time at which the purchases end. */
  readonly #grantsEnd: number;

  /**
   * Makes the keys of a stream, and numbers and seals its grants.
   * @throws OutOfRangeError naming the option and its range.
   * @throws IssuerError `GRANT_NUMBERS`.
   */
  static async start(options: KeyManagerOptions, numbers: GrantNumbers): Promise<KeyManager> {
    const cardIds = options.cards.map(({ cardId }) => cardId);
    return new KeyManager(options, await numbers.take(cardIds, options.stream.mediaTime));
  }

  private constructor(options: KeyManagerOptions, numbers: readonly number[]) {
    const { service, stream, period, segment, accept, rating, groupLimits } = options;
    const { tariff, currency } = options.price;
    const key = randomBytes(16);
    const validity = { from: stream.mediaTime, to: stream.mediaTime + options.granted };
    const ceilings = {
      ...deriveCeilings(tariff, groupLimits, options.quantum ?? chooseQuantum(tariff)),
      ...(currency !== undefined && { currency: currency.number }),
    };
    const purchase = { service, keyId: SERVICE_KEY_ID, key, ...validity, ceilings };
    this.#start = stream.mediaTime;
    this.#grantsEnd = validity.to;
    this.#grants = options.cards.map(
      ({ cardId, downlinkKey }, i) => sealGrant({ ...purchase, number: numbers[i]! }, cardId, downlinkKey).octets,
    );
    this.#schedule = new KeySchedule({
      service,
      serviceKey: key,
      serviceKeyId: SERVICE_KEY_ID,
      start: validity.from,
      end: LAST_KEYS,
      period,
      segment,
      terms: { tariff, rating, classes: { card: accept !== 'soft', soft: accept !== 'card' }, ssrcs: [stream.ssrc] },
      random: randomBytes,
    });
  }

  at(mediaTime: number): ContentPeriod {
    return this.#schedule.at(mediaTime);
  }

  due(mediaTime: number): DueMessages {
    const shared = this.#schedule.messages(mediaTime).map(({ octets }) => octets);
    return { personal: mediaTime < this.#grantsEnd ? this.#grants : [], shared };
  }

  /**
   * Waits until the second of the start is over. The ids of segments and content keys begin with that second, and the
   * next run, which may start at once, must not use them again.
   */
  async close(clock: Clock = systemClock): Promise<void> {
    await clock.sleep(Math.max(0, (this.#start + 1) * 1000 - clock.now()));
  }
}
