import type { KeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { concat } from '../../../apdu/octets.ts';
import { MAX_DATAGRAM } from '../packet/rtp-packet.ts';

/** ms after which keys are repeated. */
const KEY_INTERVAL = 250;
/** ms within which every grant has been repeated. */
const GRANT_INTERVAL = 1000;
/** Grants that are repeated with the keys every time: no more than this many and nobody waits longer for a grant than for a key. */
const MIN_GRANTS = 12;

/** Repeats key messages on the key port, `firmware-notes/protocol.md` 5.3: pure, time in, datagrams out. */
export class KeyCarousel {
  readonly #grants: readonly KeyMessage[];
  readonly #grantsAtOnce: number;
  #nextGrant = 0;
  #nextAt = -Infinity;
  #announced = new Set<KeyMessage>();

  /** @param grants service messages, one for each card. */
  constructor(grants: readonly KeyMessage[]) {
    this.#grants = grants;
    this.#grantsAtOnce = Math.min(
      grants.length,
      Math.max(MIN_GRANTS, Math.ceil((grants.length * KEY_INTERVAL) / GRANT_INTERVAL)),
    );
  }

  /** When `due` has something to say again, in its own ms; earlier only for a key that it has not announced yet. */
  get nextAt(): number {
    return this.#nextAt;
  }

  /**
   * What to send now.
   * @param now ms of any clock that does not run backwards.
   * @param keys segment and content messages that are due, parents first; a new one among them goes out at once.
   * @returns datagrams of at most 1,400 octets.
   */
  due(now: number, keys: readonly KeyMessage[]): Uint8Array[] {
    if (now < this.#nextAt && keys.every((key) => this.#announced.has(key))) return [];
    this.#nextAt = now + KEY_INTERVAL;
    this.#announced = new Set(keys);
    const messages: KeyMessage[] = [];
    for (let i = 0; i < this.#grantsAtOnce; i++) {
      messages.push(this.#grants[this.#nextGrant]!);
      this.#nextGrant = (this.#nextGrant + 1) % this.#grants.length;
    }
    return datagrams([...messages, ...keys]);
  }
}

function datagrams(messages: readonly KeyMessage[]): Uint8Array[] {
  const filled: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  let length = 0;
  for (const { octets } of messages) {
    if (length + octets.length > MAX_DATAGRAM) {
      filled.push(concat(...parts));
      parts = [];
      length = 0;
    }
    parts.push(octets);
    length += octets.length;
  }
  if (length > 0) filled.push(concat(...parts));
  return filled;
}
