/**
 * ms between looks at how many packets come of strangers: while all are taken in, soon after a flood, and while a share
 * is taken in.
 */
const LOOK_EVERY = 50;
const WARY_LOOK_EVERY = 10;
const LIMITED_LOOK_EVERY = 500;
/**
 * ms, the longest time between looks while a share is taken in. Where the system can only take in nothing, each look
 * lets the flood in for a moment, so the time doubles when it is still there within so many ms.
 */
const MAX_LIMITED = 8000;
const SOON = 1000;
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
  #limitedLookEvery = LIMITED_LOOK_EVERY;
  /** ms, when all were taken in again. */
  #openedAt = -Infinity;

  /** So many packets of strangers came. */
  add(packets: number): void {
    this.#count += packets;
  }

  /** @returns what is preferred from now on; undefined when that stays as it is. */
  look(now: number, isPlaying: boolean, sources: () => readonly number[]): Preference | undefined {
    this.#lookedAt ??= now;
    const passed = now - this.#lookedAt;
    const isOver = this.#share < 1 && !isPlaying;
    if (!isOver && passed < this.#lookEvery(now)) return undefined;
    const perSecond = (1000 * this.#count) / Math.max(1, passed) / this.#share;
    this.#lookedAt = now;
    this.#count = 0;
    const share = isPlaying && perSecond > MANY ? TAKEN_IN / perSecond : 1;
    if (share === 1 && this.#share === 1) return undefined;
    if (share === 1) {
      this.#openedAt = now;
    } else if (this.#share === 1) {
      const isBack = now - this.#openedAt < SOON;
      this.#limitedLookEvery = isBack ? Math.min(2 * this.#limitedLookEvery, MAX_LIMITED) : LIMITED_LOOK_EVERY;
    }
    this.#share = share;
    return { sources: sources(), share };
  }

  #lookEvery(now: number): number {
    if (this.#share < 1) return this.#limitedLookEvery;
    return now - this.#openedAt < SOON ? WARY_LOOK_EVERY : LOOK_EVERY;
  }
}
