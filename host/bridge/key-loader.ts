import { separate } from '../../apdu/decode-module/keys/combined-section.ts';
import { type ContentTerms, decodeContentTerms } from '../../apdu/decode-module/keys/content-terms.ts';
import type { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import { type KeyMessage, parseKeyMessage } from '../../apdu/decode-module/keys/key-message.ts';
import { isPersonal, KIND } from '../../apdu/decode-module/kinds.ts';
import { ModuleError, type ModuleErrorCode } from '../../apdu/decode-module/module-status.ts';
import { FormatError } from '../../apdu/errors.ts';
import { readUint, toHex } from '../../apdu/octets.ts';
import { MAX_DATAGRAM } from '../stream/packet/rtp-packet.ts';
import type { DropReason } from './bridge-status.ts';
import { isParent, KeyTurns } from './key-turns.ts';

/** A content key that the card holds. */
export interface LoadedContent {
  readonly service: number;
  readonly terms: ContentTerms;
}

/** `due`: to be loaded when its turn comes; `waiting`: its parent is not on the card; `full`: no place was free. */
type KeyState = 'due' | 'loaded' | 'waiting' | 'full' | 'refused';

interface KnownKey {
  readonly message: KeyMessage;
  /** Of a content key. */
  readonly terms: ContentTerms | undefined;
  state: KeyState;
  /** ms, when the carousel brought it last. */
  seenAt: number;
  /** Loads of it since the card was selected. */
  loads: number;
  /** Its confirm was passed on. */
  confirmed: boolean;
  /** Why it is refused. */
  reason: DropReason | undefined;
}

/** Messages remembered; a head-end has a handful on the wire at a time. */
const MAX_KNOWN = 256;
/** Loads of one message in one session with the card: a card that loses it oftener is at fault. */
const MAX_LOADS = 8;
/** ms after which a key that no longer comes counts as no longer needed. */
const FORGOTTEN_AFTER = 2000;
const MIN_MESSAGE = 56;

const REFUSALS: Partial<Record<ModuleErrorCode, DropReason>> = { CRYPTO: 'keyForged', OLD_NUMBER: 'keyReplayed' };

/**
 * Brings the key messages of the key port to the card: each once, parents before children, again when the card lost them. None of them is
 * authentic before the card has said so, so no kind of them keeps the others waiting.
 */
export class KeyLoader {
  readonly #onDrop: (reason: DropReason, messages: number) => void;
  readonly #onConfirm: (confirm: Uint8Array) => void;
  readonly #known = new Map<string, KnownKey>();
  #serial: number | undefined;
  /** The one service that the run is of, once that is known. */
  #service: number | undefined;
  readonly #turns = new KeyTurns();

  constructor(
    onDrop: (reason: DropReason, messages: number) => void,
    onConfirm: (confirm: Uint8Array) => void = () => undefined,
    service?: number,
  ) {
    this.#onDrop = onDrop;
    this.#onConfirm = onConfirm;
    this.#service = service;
  }

  /** The service that the run is of; undefined while it may be any. */
  get service(): number | undefined {
    return this.#service;
  }

  /** From now on the run is of this service: no key of another one goes to the card. */
  bind(service: number): void {
    this.#service ??= service;
  }

  /** A card was selected, for the first time or again: what it held in RAM may be gone. */
  reset(serial: number): void {
    this.#serial = serial;
    for (const known of this.#known.values()) {
      known.state = 'due';
      known.loads = 0;
    }
  }

  /**
   * Takes in a datagram of the key port, `firmware-notes/protocol.md` 5.3.
   * @returns whether it brought something to load.
   */
  add(datagram: Uint8Array, now: number): boolean {
    if (datagram.length > MAX_DATAGRAM) {
      this.#onDrop('keyMalformed', 1);
      return false;
    }
    let due = false;
    for (let at = 0; at < datagram.length;) {
      if (datagram[at] === KIND.combinedSection) {
        const section = datagram.subarray(at, at + Math.max(MIN_MESSAGE, readUint(datagram, at + 2, 2)));
        at += section.length;
        due = this.#addSection(section, now) || due;
        continue;
      }
      let message: KeyMessage;
      let terms: ContentTerms | undefined;
      try {
        message = parseKeyMessage(datagram.subarray(at));
        if (message.kind === KIND.content) terms = decodeContentTerms(message.body);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        this.#onDrop('keyMalformed', 1);
        // What does not parse may be of a later version; its length field still leads to the next message.
        const length = readUint(datagram, at + 2, 2);
        if (length < MIN_MESSAGE) return due;
        at += length;
        continue;
      }
      at += message.octets.length;
      due = this.#see(message, terms, now) || due;
    }
    return due;
  }

  /** Its messages one by one; they take more room than the section did. */
  #addSection(section: Uint8Array, now: number): boolean {
    try {
      let due = false;
      for (const message of separate(section)) due = this.add(message, now) || due;
      return due;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.#onDrop('keyMalformed', 1);
      return false;
    }
  }

  /** The next message for the card, parents first; undefined when there is none. */
  next(): KeyMessage | undefined {
    const due = this.#inState('due').filter((message) => this.#concerns(message));
    // Asked before every group, and almost always in vain.
    return due.length === 0 ? undefined : this.#turns.next(due, this.#inState('loaded'));
  }

  /**
   * Loads a message that `next` gave.
   * @returns what the card said of it; undefined when it took it.
   * @throws CardGoneError, TransportError.
   */
  async load(module: DecodeModule, message: KeyMessage, now: number): Promise<ModuleError | undefined> {
    const known = this.#known.get(toHex(message.octets));
    if (known === undefined) return undefined;
    known.loads++;
    this.#turns.took(message, this.#inState('loaded'));
    try {
      const confirm = await module.loadKey(message.octets);
      // The same message gives the same confirm: once is enough.
      if (confirm !== undefined && !known.confirmed) this.#onConfirm(confirm);
      known.confirmed = true;
    } catch (error) {
      if (!(error instanceof ModuleError)) throw error;
      await this.#failed(module, known, error, now);
      return error;
    }
    known.state = 'loaded';
    // 4.4: what hung on an earlier key of this name is gone from the card, and what waited for this one may come.
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

  /** The other service whose content key of this id is for this stream, as far as unauthenticated messages tell. */
  otherService(id: number, ssrc: number): number | undefined {
    let other: number | undefined;
    for (const { message, terms, state } of this.#known.values()) {
      if (state === 'refused' || !isContentOf(message, terms, id, ssrc)) continue;
      // Our own is on its way to the card: what names the other one may be forged.
      if (this.#isOfService(message)) return undefined;
      other = message.service;
    }
    return other;
  }

  /** Whether the card holds a content key for any stream. */
  get hasContent(): boolean {
    for (const { message, terms, state } of this.#known.values()) {
      if (terms !== undefined && state === 'loaded' && this.#isOfService(message)) return true;
    }
    return false;
  }

  /** The service of a key whose parent the card lacks: one that was not bought, as far as one can see. */
  get lacking(): number | undefined {
    for (const { state, message } of this.#known.values()) {
      if (state === 'waiting' && this.#isOfService(message)) return message.service;
    }
    return undefined;
  }

  /** The card says that it does not hold this content key after all. @returns whether loading it again is worth a try. */
  lost(id: number): boolean {
    let again = false;
    for (const known of this.#known.values()) {
      const { message, terms, state } = known;
      if (terms !== undefined && message.keyId === id && state === 'loaded' && this.#isOfService(message)) {
        again = this.#again(known) || again;
      }
    }
    return again;
  }

  #inState(wanted: KeyState): KeyMessage[] {
    return [...this.#known.values()].filter(({ state }) => state === wanted).map(({ message }) => message);
  }

  /** Whether it is for this card and of the service of the run. */
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
  #see(message: KeyMessage, terms: ContentTerms | undefined, now: number): boolean {
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
        confirmed: false,
        reason: undefined,
      });
      return this.#isOfService(message);
    }
    if (known.state === 'full') known.state = 'due';
    if (known.reason !== undefined && known.state === 'refused') this.#onDrop(known.reason, 1);
    known.seenAt = now;
    return known.state === 'due' && this.#isOfService(message);
  }

  /** Makes room: what is of another service goes first, then what the card refused, then what it cannot use, then the oldest. */
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

  async #failed(module: DecodeModule, known: KnownKey, error: ModuleError, now: number): Promise<void> {
    if (error.code === 'UNKNOWN_KEY' && !isPersonal(known.message.parentKind)) {
      known.state = 'waiting';
      for (const parent of this.#known.values()) {
        if (parent.state === 'loaded' && isParent(parent.message, known.message)) this.#again(parent);
      }
    } else if (error.code === 'NO_ROOM') {
      known.state = known.terms !== undefined && (await this.#freePlace(module, now)) ? 'due' : 'full';
    } else {
      known.state = 'refused';
      known.reason = REFUSALS[error.code] ?? 'keyRefused';
      this.#onDrop(known.reason, 1);
    }
  }

  #again(known: KnownKey): boolean {
    const again = known.loads < MAX_LOADS;
    known.state = again ? 'due' : 'refused';
    known.reason = again ? undefined : 'keyRefused';
    return again;
  }

  /**
   * Deletes a content key that the carousel no longer brings, of a sender that was started anew, or one of another service.
   * @returns whether there was one.
   */
  async #freePlace(module: DecodeModule, now: number): Promise<boolean> {
    for (const { kind, service, keyId } of await module.listKeys()) {
      if (kind !== KIND.content) continue;
      const named = [...this.#known.values()].filter(
        ({ message, terms }) => terms !== undefined && message.service === service && message.keyId === keyId,
      );
      const needed = this.#service === undefined || this.#service === service;
      if (needed && named.some(({ seenAt }) => now - seenAt < FORGOTTEN_AFTER)) continue;
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
