import { hasSameOctets, toHex } from '../../../apdu/octets.ts';
import { RecentNumbers } from '../intake/recent-numbers.ts';
import type { DropReason } from '../status/bridge-status.ts';
import type { AnnouncedKey } from './key-datagram.ts';
import { KeyTurns } from './key-turns.ts';
import { RefusalCount } from './refusal-count.ts';

/**
 * `due`: it is loaded when its turn comes and its parent is on the card. `loaded`: the card holds it. `displaced`: it
 * made room for another one. `full`: there was no free place for it. `refused`: the card does not accept it.
 */
export type KeyState = 'due' | 'loaded' | 'displaced' | 'full' | 'refused';

/** One of those who send to the key port, told apart by address and port. */
export interface KeySender {
  readonly source: number;
  /** ms, of its newest datagram. */
  seenAt: number;
  /** How many messages of it the card took. */
  loaded: number;
  /** Number of its last turn at the card. */
  turn: number;
  /** Which of its messages comes next. */
  readonly turns: KeyTurns;
}

export interface KnownKey extends AnnouncedKey {
  /** Whoever announced it first, or whoever announced it later and had keys loaded. */
  sender: KeySender;
  state: KeyState;
  /** ms, when it was first and last announced. */
  readonly firstSeenAt: number;
  seenAt: number;
  /** How often it was loaded since the card was selected. */
  loads: number;
  /** Whether its confirm was passed on. */
  isConfirmed: boolean;
  readonly refusals: RefusalCount;
}

/** Messages remembered; a head-end announces a handful at a time. */
const MAX_KNOWN = 256;
/** ms without an announcement after which a key that the card took is no longer needed: a head-end repeats what is. */
const FORGOTTEN_AFTER = 60_000;
/** Datagrams remembered that need not be read again. */
const MAX_DATAGRAMS = 16;
/** Senders at a time. */
const MAX_SENDERS = 16;
/** ms without a datagram after which a sender gives its place to a new one: who brought no key, and who did. */
const SILENT_AFTER = 500;
const LONG_SILENT_AFTER = 10_000;
/** No source is below 0. */
const CROWD = -1;
/** Of one sender's messages those go first that are of least use. */
const LEAST_USE: readonly KeyState[] = ['refused', 'displaced', 'due', 'full'];

/** The key messages that were announced lately, and by whom. Nobody takes another one's room. */
export class KnownKeys {
  readonly #onDrop: (reason: DropReason, messages: number) => void;
  /** By the octets of the message, in hexadecimal; the one that came first stands first. */
  readonly #keys = new Map<string, KnownKey>();
  readonly #senders = new Map<number, KeySender>();
  /** All for whom there is no place, and what they sent lately. */
  readonly #crowd = makeSender(CROWD, 0);
  readonly #repeated = new RecentNumbers();
  /** By a hash of their octets; the one that came first stands first. */
  readonly #datagrams = new Map<number, { readonly octets: Uint8Array; readonly keys: readonly KnownKey[] }>();

  constructor(onDrop: (reason: DropReason, messages: number) => void) {
    this.#onDrop = onDrop;
  }

  [Symbol.iterator](): Iterator<KnownKey> {
    return this.#keys.values();
  }

  /**
   * The sender at this address and port. Those for whom there is no place count as one, and are heard when they repeat
   * what they sent: a head-end does.
   * @returns undefined when the datagram is not to be looked at.
   */
  senderAt(source: number, datagram: Uint8Array, now: number): KeySender | undefined {
    const known = this.#senders.get(source);
    if (known !== undefined) {
      known.seenAt = now;
      return known;
    }
    if (this.#senders.size >= MAX_SENDERS && !this.#forgetSender(now)) {
      return this.#repeated.add(hash(datagram)) ? this.#crowd : undefined;
    }
    const sender = makeSender(source, now);
    this.#senders.set(source, sender);
    return sender;
  }

  /**
   * Takes in a message.
   * @param isOfService whether it is of the service of the run.
   */
  add(
    key: AnnouncedKey,
    sender: KeySender,
    now: number,
    isOfService: (key: AnnouncedKey) => boolean,
  ): { readonly known: KnownKey; readonly isNew: boolean } {
    const name = toHex(key.message.octets);
    const known = this.#keys.get(name);
    if (known !== undefined) {
      announceAgain(known, sender, now);
      return { known, isNew: false };
    }
    if (this.#keys.size >= MAX_KNOWN) this.#forget(isOfService, now);
    const added: KnownKey = {
      ...key,
      sender,
      state: 'due',
      firstSeenAt: now,
      seenAt: now,
      loads: 0,
      isConfirmed: false,
      refusals: new RefusalCount(this.#onDrop),
    };
    this.#keys.set(name, added);
    return { known: added, isNew: true };
  }

  /**
   * A head-end sends the same datagrams again and again: one that is remembered and whose keys are on the card is not
   * read again.
   * @returns whether it is such a one.
   */
  repeats(datagram: Uint8Array, sender: KeySender, now: number): boolean {
    const known = this.#datagrams.get(hash(datagram));
    if (known === undefined || !hasSameOctets(known.octets, datagram)) return false;
    if (known.keys.some(({ state }) => state !== 'loaded')) return false;
    for (const key of known.keys) announceAgain(key, sender, now);
    return true;
  }

  /** @param keys all that the datagram has for this card. */
  remember(datagram: Uint8Array, keys: readonly KnownKey[]): void {
    if (this.#datagrams.size >= MAX_DATAGRAMS) this.#datagrams.delete(this.#datagrams.keys().next().value!);
    this.#datagrams.set(hash(datagram), { octets: datagram.slice(), keys });
  }

  /** From now on every datagram is read. */
  forgetDatagrams(): void {
    this.#datagrams.clear();
  }

  #delete(name: string): void {
    this.#keys.delete(name);
    // It is known again only when it is read again.
    this.forgetDatagrams();
  }

  /**
   * Makes room: what the card took goes when it has not been announced for long. Otherwise whoever has most that the card
   * does not hold gives up what is of least use.
   */
  #forget(isOfService: (key: AnnouncedKey) => boolean, now: number): void {
    const old = this.#findName(({ state, seenAt }) => state === 'loaded' && now - seenAt >= FORGOTTEN_AFTER);
    if (old !== undefined) {
      this.#delete(old);
      return;
    }
    const counts = new Map<KeySender, number>();
    for (const { sender, state } of this.#keys.values()) {
      if (state !== 'loaded') counts.set(sender, (counts.get(sender) ?? 0) + 1);
    }
    let greedy: KeySender | undefined;
    for (const [sender, count] of counts) if (greedy === undefined || count > counts.get(greedy)!) greedy = sender;
    const gone =
      this.#findName((known) => known.sender === greedy && !isOfService(known) && known.state !== 'loaded') ??
      LEAST_USE.map((state) => this.#findName((known) => known.sender === greedy && known.state === state)).find(
        (name) => name !== undefined,
      ) ??
      this.#keys.keys().next().value;
    if (gone !== undefined) this.#delete(gone);
  }

  #findName(isWanted: (known: KnownKey) => boolean): string | undefined {
    for (const [name, known] of this.#keys) if (isWanted(known)) return name;
    return undefined;
  }

  /** @returns whether there was one that has fallen silent. */
  #forgetSender(now: number): boolean {
    const senders = [...this.#senders.values()];
    const gone = senders.find(({ loaded, seenAt }) => now - seenAt > (loaded > 0 ? LONG_SILENT_AFTER : SILENT_AFTER));
    if (gone === undefined) return false;
    this.#senders.delete(gone.source);
    for (const [name, { sender, state }] of this.#keys) {
      if (sender === gone && state !== 'loaded') this.#delete(name);
    }
    return true;
  }
}

function announceAgain(known: KnownKey, sender: KeySender, now: number): void {
  if (known.sender.loaded === 0) known.sender = sender;
  known.seenAt = now;
}

function makeSender(source: number, now: number): KeySender {
  return { source, seenAt: now, loaded: 0, turn: 0, turns: new KeyTurns() };
}

/** FNV-1a, 32 bits. */
function hash(octets: Uint8Array): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < octets.length; i++) value = Math.imul(value ^ octets[i]!, 0x01000193);
  return value >>> 0;
}
