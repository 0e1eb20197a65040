/** ms between looks at how many packets come of strangers: while all are taken in, and while a share is. */
const LOOK_EVERY = 50;
const LIMITED_LOOK_EVERY = 500;
/** Packets of strangers a second from which on only a share of them is taken in, and how many that is. */
const MANY = 3000;
const TAKEN_IN = 1000;

/** Whose packets are all taken in, and what share of everybody else's. */
export interface Preference {
  /** Addresses and ports, as `toSource` makes them. */
  readonly sources: readonly number[];
  /** 0 to 1. */
  readonly share: number;
}

/**
 * Says when so many packets come of those who have opened nothing that the network had better let most of them go. That
 * is so only while others play: else a sender that has moved would not be found.
 */
export class StrangerShare {
  #count = 0;
  #share = 1;
  #lookedAt: number | undefined;

  /** So many packets of strangers came. */
  add(packets: number): void {
    this.#count += packets;
  }

  /** @returns what is preferred from now on; undefined when that stays as it is. */
  look(now: number, isPlaying: boolean, sources: () => readonly number[]): Preference | undefined {
    this.#lookedAt ??= now;
    const passed = now - this.#lookedAt;
    const isOver = this.#share < 1 && !isPlaying;
    if (!isOver && passed < (this.#share < 1 ? LIMITED_LOOK_EVERY : LOOK_EVERY)) return undefined;
    const perSecond = (1000 * this.#count) / Math.max(1, passed) / this.#share;
    this.#lookedAt = now;
    this.#count = 0;
    const share = isPlaying && perSecond > MANY ? TAKEN_IN / perSecond : 1;
    if (share === 1 && this.#share === 1) return undefined;
    this.#share = share;
    return { sources: sources(), share };
  }
}
