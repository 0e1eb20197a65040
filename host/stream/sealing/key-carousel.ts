import { concat } from '../../../apdu/octets.ts';
import { MAX_DATAGRAM } from '../packet/rtp-packet.ts';

/** Key messages that belong on the key port, as octets. As long as a message is due, it is the same object. */
export interface DueMessages {
  /** Each is for one card. */
  readonly personal: readonly Uint8Array[];
  /** For all cards, parents before children. */
  readonly shared: readonly Uint8Array[];
}

/** ms after which the shared messages are repeated. */
const SHARED_INTERVAL = 250;
/** ms within which every personal message is repeated. */
const PERSONAL_INTERVAL = 1000;
/** With no more personal messages than this, all of them are repeated with the shared ones. */
const MIN_PERSONAL = 12;

/** Repeats messages on the key port (protocol 5.3). Pure: the time is an argument, datagrams come out. */
export class KeyCarousel {
  #nextPersonal = 0;
  #nextAt = -Infinity;
  #announced = new Set<Uint8Array>();

  /** The time of the next repeat, in the caller's ms. Only a new shared message goes out earlier. */
  get nextAt(): number {
    return this.#nextAt;
  }

  /**
   * Takes what has to be sent now.
   * @param now ms of any clock that does not run backwards.
   * @returns datagrams of at most 1,400 octets; none when nothing is new and the next repeat is still to come.
   */
  take(now: number, { personal, shared }: DueMessages): Uint8Array[] {
    if (now < this.#nextAt && shared.every((message) => this.#announced.has(message))) return [];
    this.#nextAt = now + SHARED_INTERVAL;
    this.#announced = new Set(shared);
    return fillDatagrams([...this.#takePersonal(personal), ...shared]);
  }

  /** Takes the next of the personal messages in turn, so many that all of them come within their interval. */
  #takePersonal(personal: readonly Uint8Array[]): Uint8Array[] {
    const share = Math.ceil((personal.length * SHARED_INTERVAL) / PERSONAL_INTERVAL);
    const count = Math.min(personal.length, Math.max(MIN_PERSONAL, share));
    const from = this.#nextPersonal;
    this.#nextPersonal = (from + count) % Math.max(1, personal.length);
    return Array.from({ length: count }, (_none, i) => personal[(from + i) % personal.length]!);
  }
}

function fillDatagrams(messages: readonly Uint8Array[]): Uint8Array[] {
  const datagrams: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  let length = 0;
  for (const message of messages) {
    if (length + message.length > MAX_DATAGRAM) {
      datagrams.push(concat(...parts));
      parts = [];
      length = 0;
    }
    parts.push(message);
    length += message.length;
  }
  if (length > 0) datagrams.push(concat(...parts));
  return datagrams;
}
