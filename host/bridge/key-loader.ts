import { separate } from '../../apdu/decode-module/combined-section.ts';
import { type ContentTerms, decodeContentTerms } from '../../apdu/decode-module/content-terms.ts';
import type { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import { type KeyMessage, parseKeyMessage } from '../../apdu/decode-module/key-message.ts';
import { ROOT_NODE } from '../../apdu/decode-module/key-tree.ts';
import { isPersonal, KIND } from '../../apdu/decode-module/kinds.ts';
import { ModuleError, type ModuleErrorCode } from '../../apdu/decode-module/module-status.ts';
import { FormatError } from '../../apdu/errors.ts';
import { readUint, toHex } from '../../apdu/octets.ts';
import { MOST_DATAGRAM } from '../stream/rtp-packet.ts';
import type { DropReason } from './bridge-status.ts';

/** A content key that the card holds. */
export interface LoadedContent {
  readonly service: number;
  readonly terms: ContentTerms;
}

/** `due`: to be loaded when its turn comes; `waiting`: its parent is not on the card; `full`: no slot was free. */
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
const MOST_KNOWN = 256;
/** Loads of one message in one session with the card: a card that loses it oftener is at fault. */
const MOST_LOADS = 8;
/** Loads of others for which a key waits whose parent is not known to be on the card; a purchase with its tree has fewer. */
const MOST_PASSED_OVER = 32;
/** ms after which a key that no longer comes counts as no longer needed. */
const FORGOTTEN_AFTER = 2000;
const SHORTEST_MESSAGE = 56;

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
  /** Of the message loaded last. */
  #lastRank = 0;
  /** Loads since one whose parent was not known to be on the card. */
  #passedOver = 0;

  constructor(
    onDrop: (reason: DropReason, messages: number) => void,
    onConfirm: (confirm: Uint8Array) => void = () => undefined,
  ) {
    this.#onDrop = onDrop;
    this.#onConfirm = onConfirm;
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
    if (datagram.length > MOST_DATAGRAM) {
      this.#onDrop('keyMalformed', 1);
      return false;
    }
    let due = false;
    for (let at = 0; at < datagram.length;) {
      if (datagram[at] === KIND.combined) {
        const section = datagram.subarray(at, at + Math.max(SHORTEST_MESSAGE, readUint(datagram, at + 2, 2)));
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
        if (length < SHORTEST_MESSAGE) return due;
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

  /**
   * The next message for the card; undefined when there is none. Parents come before children, and those whose parent is on the card take
   * turns by kind: whoever forges grants without end takes no more than every other turn from the content keys.
   */
  next(): KeyMessage | undefined {
    let first: KeyMessage | undefined;
    let inTurn: KeyMessage | undefined;
    let orphan: KeyMessage | undefined;
    const loaded = this.#loaded();
    for (const { message, state } of this.#known.values()) {
      if (state !== 'due' || !this.#concernsCard(message)) continue;
      if (isOrphan(message, loaded)) {
        orphan = lower(orphan, message);
      } else {
        first = lower(first, message);
        if (rank(message) > this.#lastRank) inTurn = lower(inTurn, message);
      }
    }
    // The card may hold a parent from before that nobody announces any more.
    if (orphan !== undefined && this.#passedOver >= MOST_PASSED_OVER) return orphan;
    return inTurn ?? first ?? orphan;
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
    this.#lastRank = rank(message);
    this.#passedOver = isOrphan(message, this.#loaded()) ? 0 : this.#passedOver + 1;
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
      if (state === 'loaded' && message.keyId === id && terms?.ssrcs.includes(ssrc) === true) {
        return { service: message.service, terms };
      }
    }
    return undefined;
  }

  /** Whether the card holds a content key for any stream. */
  get hasContent(): boolean {
    for (const { terms, state } of this.#known.values()) if (terms !== undefined && state === 'loaded') return true;
    return false;
  }

  /** The service of a key whose parent the card lacks: one that was not bought, as far as one can see. */
  get lacking(): number | undefined {
    for (const { state, message } of this.#known.values()) if (state === 'waiting') return message.service;
    return undefined;
  }

  /** The card says that it does not hold this content key after all. @returns whether loading it again is worth a try. */
  lost(id: number): boolean {
    let again = false;
    for (const known of this.#known.values()) {
      if (known.terms !== undefined && known.message.keyId === id && known.state === 'loaded') {
        again = this.#again(known) || again;
      }
    }
    return again;
  }

  #loaded(): KeyMessage[] {
    return [...this.#known.values()].filter(({ state }) => state === 'loaded').map(({ message }) => message);
  }

  #concernsCard(message: KeyMessage): boolean {
    return !isPersonal(message.parentKind) || message.parentId === this.#serial;
  }

  /** @returns whether it is to be loaded. */
  #see(message: KeyMessage, terms: ContentTerms | undefined, now: number): boolean {
    if (this.#serial !== undefined && !this.#concernsCard(message)) return false;
    const name = toHex(message.octets);
    const known = this.#known.get(name);
    if (known === undefined) {
      if (this.#known.size >= MOST_KNOWN) this.#forget();
      this.#known.set(name, {
        message,
        terms,
        state: 'due',
        seenAt: now,
        loads: 0,
        confirmed: false,
        reason: undefined,
      });
      return true;
    }
    if (known.state === 'full') known.state = 'due';
    if (known.reason !== undefined && known.state === 'refused') this.#onDrop(known.reason, 1);
    known.seenAt = now;
    return known.state === 'due';
  }

  /** Makes room: what the card refused goes first, then what it cannot use, then the oldest. */
  #forget(): void {
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
    } else if (error.code === 'NO_SLOT') {
      known.state = known.terms !== undefined && (await this.#freeSlot(module, now)) ? 'due' : 'full';
    } else {
      known.state = 'refused';
      known.reason = REFUSALS[error.code] ?? 'keyRefused';
      this.#onDrop(known.reason, 1);
    }
  }

  #again(known: KnownKey): boolean {
    const again = known.loads < MOST_LOADS;
    known.state = again ? 'due' : 'refused';
    known.reason = again ? undefined : 'keyRefused';
    return again;
  }

  /** Deletes a content key that the carousel no longer brings: of a sender that was started anew. @returns whether there was one. */
  async #freeSlot(module: DecodeModule, now: number): Promise<boolean> {
    for (const { kind, service, id } of await module.listKeys()) {
      if (kind !== KIND.content) continue;
      const named = [...this.#known.values()].filter(
        ({ message, terms }) => terms !== undefined && message.service === service && message.keyId === id,
      );
      if (named.some(({ seenAt }) => now - seenAt < FORGOTTEN_AFTER)) continue;
      await module.deleteKey(kind, service, id);
      for (const known of named) known.state = 'waiting';
      return true;
    }
    return false;
  }
}

/** The earlier one of those that rank alike, so that each has its turn. */
function lower(best: KeyMessage | undefined, message: KeyMessage): KeyMessage {
  return best === undefined || rank(message) < rank(best) ? message : best;
}

/** Content keys come last: a slot needs seeds and the root of the key tree. */
function rank({ kind }: KeyMessage): number {
  return kind === KIND.content || kind === KIND.blind ? Infinity : kind;
}

/** Whether a message comes under a key of which nothing says that the card holds it. A slot needs seeds and the root both. */
function isOrphan(message: KeyMessage, loaded: readonly KeyMessage[]): boolean {
  if (isPersonal(message.parentKind)) return false;
  const parents = loaded.filter((parent) => isParent(parent, message));
  if (message.parentKind !== KIND.slot) return parents.length === 0;
  return [KIND.seeds, KIND.node].some((kind) => parents.every((parent) => parent.kind !== kind));
}

/** Whether a key that the card lacked may be there now that another is. */
function isParent(parent: KeyMessage, child: KeyMessage): boolean {
  if (child.parentKind === KIND.slot && child.service === parent.service) {
    return parent.kind === KIND.seeds || (parent.kind === KIND.node && parent.keyId === ROOT_NODE);
  }
  return child.parentKind === parent.kind && child.service === parent.service && child.parentId === parent.keyId;
}
