import type { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import type { ContentTerms } from '../../../apdu/decode-module/keys/content-terms.ts';
import type { KeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { isPersonal, KIND } from '../../../apdu/decode-module/kinds.ts';
import { ModuleError, type ModuleErrorCode } from '../../../apdu/decode-module/module-status.ts';
import { toHex } from '../../../apdu/octets.ts';
import type { DropReason } from '../status/bridge-status.ts';
import { type AnnouncedKey, readKeyDatagram } from './key-datagram.ts';
import { isParent, KeyTurns } from './key-turns.ts';
import { RefusalCount } from './refusal-count.ts';

/** A content key that the card holds. */
export interface LoadedContent {
  readonly service: number;
  readonly terms: ContentTerms;
}

/**
 * `due`: it is loaded when its turn comes. `loaded`: the card holds it. `waiting`: its parent is not on the card.
 * `full`: there was no free place for it. `refused`: the card does not accept it.
 */
type KeyState = 'due' | 'loaded' | 'waiting' | 'full' | 'refused';

interface KnownKey extends AnnouncedKey {
  state: KeyState;
  /** ms, when it was last announced. */
  seenAt: number;
  /** How often it was loaded since the card was selected. */
  loads: number;
  /** Whether its confirm was passed on. */
  isConfirmed: boolean;
  readonly refusals: RefusalCount;
}

export interface KeyLoaderOptions {
  /** The one service that the run is of, if it was asked for. */
  readonly service?: number | undefined;
  /** Called with messages that were let go; with a number below 0 when messages counted before are taken up after all. */
  readonly onDrop: (reason: DropReason, messages: number) => void;
  /** Called once with each confirm of the card, 48 octets. */
  readonly onConfirm?: (confirm: Uint8Array) => void;
}

/** Messages remembered; a head-end announces a handful at a time. */
const MAX_KNOWN = 256;
/** Loads of one message while the card is selected. A card that loses it more often is faulty. */
const MAX_LOADS = 8;
/** ms without an announcement from which on a key counts as no longer needed. */
const UNNEEDED_AFTER = 2000;

const REFUSALS: Partial<Record<ModuleErrorCode, DropReason>> = { CRYPTO: 'keyForged', OLD_NUMBER: 'keyReplayed' };

/**
 * Brings the key messages of the key port to the card: each once, parents before children, and again when the card lost
 * them. None is authentic before the card has said so, so no kind of them may keep the others waiting.
 */
export class KeyLoader {
  readonly #onDrop: (reason: DropReason, messages: number) => void;
  readonly #onConfirm: ((confirm: Uint8Array) => void) | undefined;
  /** By the octets of the message, in hexadecimal; the one that came first stands first. */
  readonly #known = new Map<string, KnownKey>();
  readonly #turns = new KeyTurns();
  /** Number by which messages name the card; undefined before there is one. */
  #serial: number | undefined;
  #service: number | undefined;

  constructor({ service, onDrop, onConfirm }: KeyLoaderOptions) {
    this.#service = service;
    this.#onDrop = onDrop;
    this.#onConfirm = onConfirm;
  }

  /** The service that the run is of; undefined while it may be any. */
  get service(): number | undefined {
    return this.#service;
  }

  /** From now on the run is of this service: no key of another one goes to the card. */
  bind(service: number): void {
    this.#service ??= service;
  }

  /** A card was selected, for the first time or again. What it held in RAM may be gone. */
  reset(serial: number): void {
    this.#serial = serial;
    for (const known of this.#known.values()) {
      known.state = 'due';
      known.loads = 0;
    }
  }

  /**
   * Takes in a datagram of the key port; what is kept of it is copied.
   * @returns whether it brought something to load.
   */
  add(datagram: Uint8Array, now: number): boolean {
    let isDue = false;
    for (const key of readKeyDatagram(datagram)) {
      if (key === undefined) this.#onDrop('keyMalformed', 1);
      else if (this.#addKey(key, now)) isDue = true;
    }
    return isDue;
  }

  /** The next message for the card, parents first; undefined when there is none. */
  next(): KeyMessage | undefined {
    const due = this.#inState('due').filter((message) => this.#concerns(message));
    // Called for every group; usually nothing is due.
    return due.length === 0 ? undefined : this.#turns.next(due, this.#inState('loaded'));
  }

  /**
   * Loads a message that `next` gave.
   * @returns why the card did not accept it; undefined when it did.
   * @throws CardGoneError, TransportError.
   */
  async load(module: DecodeModule, message: KeyMessage, now: number): Promise<ModuleError | undefined> {
    const known = this.#known.get(toHex(message.octets));
    if (known === undefined) return undefined;
    known.loads++;
    this.#turns.take(message, this.#inState('loaded'));
    try {
      const confirm = await module.loadKey(message.octets);
      // The same message gives the same confirm: once is enough.
      if (confirm !== undefined && !known.isConfirmed) this.#onConfirm?.(confirm);
      known.isConfirmed = true;
      known.refusals.takeBack();
    } catch (error) {
      if (!(error instanceof ModuleError)) throw error;
      await this.#refused(module, known, error, now);
      return error;
    }
    known.state = 'loaded';
    // Protocol 4.4: children of an earlier key of this name are gone from the card; those that waited may be loaded.
    for (const child of this.#known.values()) if (isParent(message, child.message)) child.state = 'due';
    return undefined;
  }

  /** The content key of this id that is for this stream, if the card holds it. */
  content(id: number, ssrc: number): LoadedContent | undefined {
    for (const { message, terms, state } of this.#known.values()) {
      if (state === 'loaded' && isContentOf(message, terms, id, ssrc) && this.#isOfService(message)) {
        return { service: message.service, terms };
      }
    }
    return undefined;
  }

  /** The other service that has a content key of this id for this stream, as messages say that may be forged. */
  otherService(id: number, ssrc: number): number | undefined {
    let other: number | undefined;
    for (const { message, terms, state } of this.#known.values()) {
      if (state === 'refused' || !isContentOf(message, terms, id, ssrc)) continue;
      // A key of our own is on its way to the card, so the message of the other service may be forged.
      if (this.#isOfService(message)) return undefined;
      other = message.service;
    }
    return other;
  }

  /** Whether the card holds a content key for this stream. */
  hasContentFor(ssrc: number): boolean {
    for (const { message, terms, state } of this.#known.values()) {
      if (state === 'loaded' && terms?.ssrcs.includes(ssrc) === true && this.#isOfService(message)) return true;
    }
    return false;
  }

  /** Whether the card holds a content key for any stream. */
  get hasContent(): boolean {
    for (const { message, terms, state } of this.#known.values()) {
      if (terms !== undefined && state === 'loaded' && this.#isOfService(message)) return true;
    }
    return false;
  }

  /** The service of a key whose parent the card lacks: it seems that the service was not bought. */
  get lackingService(): number | undefined {
    for (const { state, message } of this.#known.values()) {
      if (state === 'waiting' && this.#isOfService(message)) return message.service;
    }
    return undefined;
  }

  /**
   * The card says that it does not hold this content key after all: it is to be loaded again.
   * @returns whether that is worth a try.
   */
  loadAgain(id: number): boolean {
    let isDue = false;
    for (const known of this.#known.values()) {
      const { message, terms, state } = known;
      if (terms !== undefined && message.keyId === id && state === 'loaded' && this.#isOfService(message)) {
        isDue = this.#setDueAgain(known) || isDue;
      }
    }
    return isDue;
  }

  #inState(asked: KeyState): KeyMessage[] {
    return [...this.#known.values()].filter(({ state }) => state === asked).map(({ message }) => message);
  }

  /** Whether a message is for this card and of the service of the run. */
  #concerns(message: KeyMessage): boolean {
    return this.#concernsCard(message) && this.#isOfService(message);
  }

  #concernsCard(message: KeyMessage): boolean {
    return !isPersonal(message.parentKind) || message.parentId === this.#serial;
  }

  #isOfService(message: KeyMessage): boolean {
    return this.#service === undefined || message.service === this.#service;
  }

  /** @returns whether it is to be loaded. */
  #addKey({ message, terms }: AnnouncedKey, now: number): boolean {
    if (this.#serial !== undefined && !this.#concernsCard(message)) return false;
    // Content keys of other services tell their packets from those whose key is still to come.
    if (terms === undefined && !this.#isOfService(message)) return false;
    const name = toHex(message.octets);
    const known = this.#known.get(name);
    if (known === undefined) {
      if (this.#known.size >= MAX_KNOWN) this.#forget();
      this.#known.set(name, {
        message,
        terms,
        state: 'due',
        seenAt: now,
        loads: 0,
        isConfirmed: false,
        refusals: new RefusalCount(this.#onDrop),
      });
      return this.#isOfService(message);
    }
    if (known.state === 'full') known.state = 'due';
    if (known.state === 'refused') known.refusals.add();
    known.seenAt = now;
    return known.state === 'due' && this.#isOfService(message);
  }

  /** Makes room: keys of other services go first, then those refused, then those of no use yet, then the oldest. */
  #forget(): void {
    for (const [name, { message }] of this.#known) {
      if (this.#isOfService(message)) continue;
      this.#known.delete(name);
      return;
    }
    for (const state of ['refused', 'waiting', 'due', 'full', 'loaded'] satisfies KeyState[]) {
      for (const [name, known] of this.#known) {
        if (known.state !== state) continue;
        this.#known.delete(name);
        return;
      }
    }
  }

  async #refused(module: DecodeModule, known: KnownKey, error: ModuleError, now: number): Promise<void> {
    if (error.code === 'UNKNOWN_KEY' && !isPersonal(known.message.parentKind)) {
      known.state = 'waiting';
      for (const parent of this.#known.values()) {
        if (parent.state === 'loaded' && isParent(parent.message, known.message)) this.#setDueAgain(parent);
      }
    } else if (error.code === 'NO_ROOM') {
      known.state = known.terms !== undefined && (await this.#freePlace(module, now)) ? 'due' : 'full';
    } else {
      known.state = 'refused';
      // The card took it once, so it is authentic: a key of the same name has come in its parent's place since.
      const isSuperseded = error.code === 'CRYPTO' && known.isConfirmed;
      known.refusals.reason = isSuperseded ? undefined : (REFUSALS[error.code] ?? 'keyRefused');
      known.refusals.add();
    }
  }

  /** @returns whether it is to be loaded again; not when the card has lost it too often. */
  #setDueAgain(known: KnownKey): boolean {
    const isDue = known.loads < MAX_LOADS;
    known.state = isDue ? 'due' : 'refused';
    if (!isDue) known.refusals.reason = 'keyRefused';
    return isDue;
  }

  /**
   * Deletes a content key that is no longer announced, as after a new start of the sender, or one of another service.
   * @returns whether there was one.
   */
  async #freePlace(module: DecodeModule, now: number): Promise<boolean> {
    for (const { kind, service, keyId } of await module.listKeys()) {
      if (kind !== KIND.content) continue;
      const named = [...this.#known.values()].filter(
        ({ message, terms }) => terms !== undefined && message.service === service && message.keyId === keyId,
      );
      const needed = this.#service === undefined || this.#service === service;
      if (needed && named.some(({ seenAt }) => now - seenAt < UNNEEDED_AFTER)) continue;
      await module.deleteKey(kind, service, keyId);
      for (const known of named) known.state = 'waiting';
      return true;
    }
    return false;
  }
}

function isContentOf(
  message: KeyMessage,
  terms: ContentTerms | undefined,
  id: number,
  ssrc: number,
): terms is ContentTerms {
  return message.keyId === id && terms?.ssrcs.includes(ssrc) === true;
}
