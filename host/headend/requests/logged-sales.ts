import type { Outcome } from '../../contract/answers/answer.ts';
import type { SoldSession } from '../membership/sold-session.ts';
import type { CardNumbers } from './card-numbers.ts';
import type { Applied, Asked, Refusal } from './joins.ts';
import { numberChange } from './request-rows.ts';
import type { SessionKeys } from './session-keys.ts';

/** Seconds before the end of a segment from which on whoever asks gets the next one with it. */
const NEXT_WITH_IT = 10;
/** Until when keys are wanted by who asks for those that there are. */
const NO_END = 0xffff_ffff;

/**
 * Requests for sessions that are billed from the log alone. There is no list and no charging entry: a card is given the
 * keys that it asks for, and the row of each is what it owes. Nothing is kept of a client but that.
 */
export class LoggedSales {
  readonly #numbers: CardNumbers;
  readonly #keys: SessionKeys;

  constructor(numbers: CardNumbers, keys: SessionKeys) {
    this.#numbers = numbers;
    this.#keys = keys;
  }

  join(asked: Asked): Applied | Refusal {
    return this.#sell(asked, 'joined', asked.from);
  }

  /** The join that it extends is not known here: the keys of now are given up to the later end. */
  extend(asked: Asked): Applied | Refusal {
    return this.#sell(asked, 'extended', asked.now);
  }

  /** Brings the keys that there are now, and the next ones once their time is near. */
  keyRequest(asked: Asked): Applied | Refusal {
    return this.#sell({ ...asked, to: NO_END }, 'keys', asked.now);
  }

  /** What was given stays owed; nothing more is asked for. */
  leave(asked: Asked): Applied {
    return answerWith('left', asked, { from: asked.now, to: asked.now });
  }

  stay(asked: Asked): Applied {
    return answerWith('stayed', asked, { from: asked.now, to: asked.now });
  }

  /** A confirm changes nothing: whether the card took its key or not, it was given it. */
  static confirm(cardId: string, service: number, now: number): Applied {
    return answerWith('confirmed', { cardId, logId: 0, sold: { service, session: '' } }, { from: now, to: now });
  }

  #sell(asked: Asked, outcome: Outcome, from: number): Applied | Refusal {
    const { cardId, cardOctets, sold, to = from, now } = asked;
    if (now < sold.from || now >= sold.to) return { problem: 'unknown-offer', particulars: 'the offer has ended' };
    if (to <= now) return { problem: 'too-late', particulars: `the end asked for is over at ${now}` };
    let last: number | undefined;
    const takeNumber = (): number => (last = this.#numbers.take(cardId, now));
    const startBy = outcome === 'keys' ? undefined : Math.max(from, now) + NEXT_WITH_IT;
    const wish = { sold, cardId: cardOctets, from, to, takeNumber, ...(startBy !== undefined && { startBy }) };
    const { messages, segments, changes = [], ...keys } = this.#keys.grant(wish);
    const end = outcome === 'keys' ? Math.max(now, ...segments.map((segment) => segment.to)) : to;
    return {
      ...answerWith(outcome, asked, { from: outcome === 'joined' ? from : asked.from, to: end }),
      ...keys,
      messages,
      segments,
      changes: last === undefined ? changes : [...changes, numberChange(cardId, last)],
      isSold: true,
    };
  }
}

function answerWith(
  outcome: Outcome,
  {
    cardId,
    logId,
    sold,
  }: Pick<Asked, 'cardId' | 'logId'> & { readonly sold: Pick<SoldSession, 'service' | 'session'> },
  time: { readonly from: number; readonly to: number },
): Applied {
  const { service, session } = sold;
  return { outcome, member: { entryId: logId, cardId, service, session, ...time }, changes: [], messages: [] };
}
