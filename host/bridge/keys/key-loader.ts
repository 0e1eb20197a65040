import type { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import type { ContentTerms } from '../../../apdu/decode-module/keys/content-terms.ts';
import type { KeyEntry } from '../../../apdu/decode-module/keys/key-list.ts';
import { type KeyMessage, parseKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { isPersonal, KIND } from '../../../apdu/decode-module/kinds.ts';
import { ModuleError, type ModuleErrorCode } from '../../../apdu/decode-module/module-status.ts';
import type { DropReason } from '../status/bridge-status.ts';
import { isReplaced, rivalsOf } from './content-rivals.ts';
import { HeldKeys, type ParentName } from './held-keys.ts';
import { type AnnouncedKey, type MessageHead, readKeyDatagram } from './key-datagram.ts';
import { isParent } from './key-turns.ts';
import { type KeySender, type KnownKey, KnownKeys } from './known-keys.ts';

/** A content key that the card holds. */
export interface LoadedContent {
  readonly service: number;
  readonly terms: ContentTerms;
}

export interface KeyLoaderOptions {
  /** The one service that the run is of, if it was asked for. */
  readonly service?: number | undefined;
  /** Called with messages that were let go; with a number below 0 when messages counted before are taken up after all. */
  readonly onDrop: (reason: DropReason, messages: number) => void;
  /** Whether a purchase that came by the key port may be loaded; every one by default. */
  readonly acceptsPurchase?: ((message: Uint8Array) => boolean) | undefined;
  /** Called once with each confirm of the card, 48 octets. */
  readonly onConfirm?: (confirm: Uint8Array) => void;
}

const NONE_DUE = new Map<KeySender, KnownKey[]>();
/** Messages of one sender remembered whose parent is not on the card. It may still come. */
const MAX_ORPHANS = 64;
/** ms after which a message counts as repeated when it comes again: a head-end repeats, who forges varies. */
const REPEATED_AFTER = 100;
/** Loads of one message while the card is selected. A card that loses it more often is faulty. */
const MAX_LOADS = 8;
/** ms without an announcement from which on a key counts as no longer needed. */
const UNNEEDED_AFTER = 2000;

const REFUSALS: Partial<Record<ModuleErrorCode, DropReason>> = { CRYPTO: 'keyForged', OLD_NUMBER: 'keyReplayed' };

/**
 * Brings the key messages of the key port to the card: each once, parents before children, and again when the card lost
 * them. None is authentic before the card has said so, so nobody who sends them may keep the others waiting: those
 * whose keys the card took go first, then what is repeated, and each sender has its turn.
 */
export class KeyLoader {
  readonly #onDrop: (reason: DropReason, messages: number) => void;
  readonly #onConfirm: ((confirm: Uint8Array) => void) | undefined;
  readonly #acceptsPurchase: (message: Uint8Array) => boolean;
  readonly #known: KnownKeys;
  readonly #held = new HeldKeys();
  #turns = 0;
  /** Number by which messages name the card; undefined before there is one. */
  #serial: number | undefined;
  #service: number | undefined;

  constructor({ service, onDrop, onConfirm, acceptsPurchase = () => true }: KeyLoaderOptions) {
    this.#service = service;
    this.#onDrop = onDrop;
    this.#onConfirm = onConfirm;
    this.#acceptsPurchase = acceptsPurchase;
    this.#known = new KnownKeys(onDrop);
  }

  /** The service that the run is of; undefined while it may be any. */
  get service(): number | undefined {
    return this.#service;
  }

  /** From now on the run is of this service: no key of another one goes to the card. */
  bind(service: number): void {
    this.#service ??= service;
  }

  /**
   * A card was selected, for the first time or again. What it held in RAM may be gone.
   * @param held what it lists.
   */
  reset(serial: number, held: readonly KeyEntry[] = []): void {
    this.#serial = serial;
    this.#held.replace(held);
    this.#known.forgetDatagrams();
    for (const known of this.#known) {
      known.state = 'due';
      known.loads = 0;
    }
  }

  /**
   * Takes in a datagram of the key port; what is kept of it is copied.
   * @param source where it came from, as a number for each address and port.
   * @returns whether it brought something to load.
   */
  add(datagram: Uint8Array, now: number, source = 0): boolean {
    const sender = this.#known.senderAt(source, datagram, now);
    if (sender === undefined) return false;
    if (this.#known.repeats(datagram, sender, now)) return false;
    let orphans = 0;
    const isWanted = (head: MessageHead): boolean => {
      if (!this.#concernsCard(head) || !this.#isWorthKnowing(head)) return false;
      if (this.#serial !== undefined && this.#held.hasParent(head)) return true;
      if (orphans === 0) orphans = this.#countOrphans(sender);
      return ++orphans <= MAX_ORPHANS;
    };
    const keys: KnownKey[] = [];
    let isWellFormed = true;
    for (const key of readKeyDatagram(datagram, isWanted)) {
      if (key !== undefined) keys.push(this.#addKey(key, sender, now));
      else {
        this.#onDrop('keyMalformed', 1);
        isWellFormed = false;
      }
    }
    // Nothing of it waits for a parent: what was left out is for others.
    if (isWellFormed && orphans === 0 && sender.loaded > 0) this.#known.remember(datagram, keys);
    return keys.some((known) => known.state === 'due' && this.#isOfService(known.message));
  }

  /**
   * The next message for the card, parents first; undefined when there is none. One whose parent is not on the card is
   * none: the card could not use it.
   * @param asksStrangers whether those have a turn of whom the card took no key.
   */
  next(asksStrangers = true): KnownKey | undefined {
    let best: { readonly sender: KeySender; readonly due: KnownKey[]; readonly rank: number } | undefined;
    for (const [sender, due] of this.#dueBySender()) {
      if (!asksStrangers && sender.loaded === 0) continue;
      // What has come again goes before what came once, as that may be forged.
      const repeated = due.filter(({ firstSeenAt, seenAt }) => seenAt - firstSeenAt >= REPEATED_AFTER);
      const rank = (sender.loaded > 0 ? 2 : 0) + (repeated.length > 0 ? 1 : 0);
      const isFirst = best === undefined || rank > best.rank || (rank === best.rank && sender.turn < best.sender.turn);
      if (isFirst) best = { sender, due: repeated.length > 0 ? repeated : due, rank };
    }
    return best?.sender.turns.next(best.due);
  }

  /**
   * Loads a message that `next` gave.
   * @returns why the card did not accept it; undefined when it did.
   * @throws CardGoneError, TransportError.
   */
  async load(module: DecodeModule, known: KnownKey, now: number): Promise<ModuleError | undefined> {
    const { message, sender } = known;
    known.loads++;
    sender.turn = ++this.#turns;
    sender.turns.take(known);
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
    sender.loaded++;
    this.#held.add(message);
    this.#supersede(known);
    // Protocol 4.4: children of an earlier key of this name are gone from the card; those that waited may be loaded.
    for (const child of this.#known) if (isParent(message, child.message)) child.state = 'due';
    return undefined;
  }

  /**
   * Loads a message that did not come by the key port.
   * @returns the card's confirm, if it has one.
   * @throws FormatError when it is not a key message; ModuleError when the card refuses it; CardGoneError,
   *   TransportError.
   */
  async loadAnswered(module: DecodeModule, octets: Uint8Array, now: number): Promise<Uint8Array | undefined> {
    const message = parseKeyMessage(octets);
    // A content key counts as announced, so that it is found when its stream comes.
    if (message.kind === KIND.content) {
      this.add(octets, now);
      return undefined;
    }
    const confirm = await module.loadKey(octets);
    this.#held.add(message);
    for (const child of this.#known) if (isParent(message, child.message)) child.state = 'due';
    return confirm;
  }

  /** The content key of this id that is for this stream, if the card holds it. */
  content(id: number, ssrc: number): LoadedContent | undefined {
    for (const { message, terms, state } of this.#known) {
      if (state === 'loaded' && isContentOf(message, terms, id, ssrc) && this.#isOfService(message)) {
        return { service: message.service, terms };
      }
    }
    return undefined;
  }

  /** The other service that has a content key of this id for this stream, as messages say that may be forged. */
  otherService(id: number, ssrc: number): number | undefined {
    let other: number | undefined;
    for (const { message, terms, state } of this.#known) {
      if (state === 'refused' || !isContentOf(message, terms, id, ssrc)) continue;
      // A key of our own is on its way to the card, so the message of the other service may be forged.
      if (this.#isOfService(message)) return undefined;
      other = message.service;
    }
    return other;
  }

  /** Whether the card holds a content key for this stream. */
  hasContentFor(ssrc: number): boolean {
    for (const { message, terms, state } of this.#known) {
      if (state === 'loaded' && terms?.ssrcs.includes(ssrc) === true && this.#isOfService(message)) return true;
    }
    return false;
  }

  /** Whether the card holds a content key for any stream. */
  get hasContent(): boolean {
    for (const { message, terms, state } of this.#known) {
      if (terms !== undefined && state === 'loaded' && this.#isOfService(message)) return true;
    }
    return false;
  }

  /** The service of a key whose parent the card lacks: it seems that the service was not bought. */
  get lackingService(): number | undefined {
    for (const { state, message } of this.#known) {
      if (state === 'due' && this.#isOfService(message) && !this.#held.hasParent(message)) return message.service;
    }
    return undefined;
  }

  /**
   * The card says that it does not hold this content key after all: it is to be loaded again.
   * @returns whether that is worth a try.
   */
  loadAgain(id: number): boolean {
    let isDue = false;
    for (const known of this.#known) {
      const { message, terms, state } = known;
      if (terms !== undefined && message.keyId === id && state === 'loaded' && this.#isOfService(message)) {
        isDue = this.#setDueAgain(known) || isDue;
      }
    }
    return isDue;
  }

  /** What can be loaded, by sender. */
  #dueBySender(): ReadonlyMap<KeySender, KnownKey[]> {
    // Called for every group; usually nothing is due.
    let senders: Map<KeySender, KnownKey[]> = NONE_DUE;
    for (const known of this.#known) {
      const { state, message, sender } = known;
      if (state !== 'due' || !this.#concerns(message) || !this.#held.hasParent(message)) continue;
      const reason = this.#findObjection(known);
      if (reason !== undefined) {
        known.state = 'refused';
        known.refusals.reason = reason;
        known.refusals.add();
        continue;
      }
      if (senders === NONE_DUE) senders = new Map();
      const due = senders.get(sender);
      if (due === undefined) senders.set(sender, [known]);
      else due.push(known);
    }
    return senders;
  }

  /** Why a message does not go to the card, though that might take it. */
  #findObjection(known: KnownKey): DropReason | undefined {
    const { parentKind, octets } = known.message;
    if (isPersonal(parentKind) && !this.#acceptsPurchase(octets)) return 'keyRefused';
    return isReplaced(this.#known, known) ? 'keyReplayed' : undefined;
  }

  #countOrphans(of: KeySender): number {
    let count = 0;
    for (const { sender, message } of this.#known) {
      if (sender === of && (this.#serial === undefined || !this.#held.hasParent(message))) count++;
    }
    return count;
  }

  /** Whether a message is for this card and of the service of the run. */
  #concerns(message: KeyMessage): boolean {
    return this.#concernsCard(message) && this.#isOfService(message);
  }

  #concernsCard({ parentKind, parentId }: ParentName): boolean {
    return this.#serial === undefined || !isPersonal(parentKind) || parentId === this.#serial;
  }

  #isOfService({ service }: ParentName): boolean {
    return this.#service === undefined || service === this.#service;
  }

  /** Content keys of other services tell their packets from those whose key is still to come. */
  #isWorthKnowing(head: MessageHead): boolean {
    return head.kind === KIND.content || this.#isOfService(head);
  }

  #addKey(key: AnnouncedKey, sender: KeySender, now: number): KnownKey {
    const { known, isNew } = this.#known.add(key, sender, now, ({ message }) => this.#isOfService(message));
    if (!isNew) {
      if (known.state === 'full') known.state = 'due';
      if (known.state === 'refused') known.refusals.add();
    }
    return known;
  }

  /** A head-end may replace the next content key under its own id: the card has the one that was loaded last. */
  #supersede(loaded: KnownKey): void {
    for (const known of rivalsOf(this.#known, loaded)) {
      known.state = 'refused';
      known.refusals.reason = undefined;
    }
  }

  async #refused(module: DecodeModule, known: KnownKey, error: ModuleError, now: number): Promise<void> {
    if (error.code === 'UNKNOWN_KEY' && !isPersonal(known.message.parentKind)) {
      this.#held.lacksParent(known.message);
      for (const parent of this.#known) {
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
      const named = [...this.#known].filter(
        ({ message, terms }) => terms !== undefined && message.service === service && message.keyId === keyId,
      );
      const needed = this.#service === undefined || this.#service === service;
      if (needed && named.some(({ seenAt }) => now - seenAt < UNNEEDED_AFTER)) continue;
      await module.deleteKey(kind, service, keyId);
      for (const known of named) known.state = 'displaced';
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
