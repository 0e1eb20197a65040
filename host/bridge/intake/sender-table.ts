import type { MediaSender } from './media-sender.ts';
import { RecentNumbers } from './recent-numbers.ts';

/** Senders at a time. */
const MAX_SENDERS = 32;
/** Of these, those whose groups were opened. */
const MAX_OPENED = 4;
/** ms of silence after which a sender that has opened nothing gives its place to a new one. */
const SILENT_AFTER = 100;
/** ms after which it does so although it goes on sending. */
const MAX_TENURE = 1000;
/** ms between looks at who sends how much. */
const LOOK_EVERY = 1000;
/** Packets a second from which on it is told that somebody else sends. */
const MIN_TOLD = 10;

/** Who sends to the media port. Those whose groups were opened keep their places; others come and go. */
export class SenderTable {
  readonly #make: (source: number, now: number) => MediaSender;
  readonly #senders = new Map<number, MediaSender>();
  #opened: readonly MediaSender[] = [];
  #strangers: readonly MediaSender[] = [];
  readonly #waiting = new RecentNumbers();
  #lookedAt = -Infinity;
  /** ms, when the newest group of anybody was opened. */
  lastOpenedAt = -Infinity;

  constructor(make: (source: number, now: number) => MediaSender) {
    this.#make = make;
  }

  get count(): number {
    return this.#senders.size;
  }

  get all(): Iterable<MediaSender> {
    return this.#senders.values();
  }

  /** Those whose groups were opened. */
  get opened(): readonly MediaSender[] {
    return this.#opened;
  }

  get strangers(): readonly MediaSender[] {
    return this.#strangers;
  }

  /** The sender at this address and port. @returns undefined when it is a new one and there is no place for it. */
  find(source: number, now: number): MediaSender | undefined {
    const known = this.#senders.get(source);
    if (known !== undefined) return known;
    if (this.#senders.size >= MAX_SENDERS && !(this.#waiting.add(source) && this.#forget(now))) return undefined;
    const sender = this.#make(source, now);
    this.#senders.set(source, sender);
    this.#sort();
    return sender;
  }

  /** A group of this sender was opened. */
  markOpened(sender: MediaSender, now: number): void {
    const isNew = !sender.hasOpened;
    sender.openedAt = now;
    sender.refused = 0;
    this.lastOpenedAt = now;
    if (isNew) this.#sort();
    if (this.#opened.length <= MAX_OPENED) return;
    const oldest = this.#opened.reduce((a, b) => (b.openedAt < a.openedAt ? b : a));
    oldest.openedAt = -Infinity;
    this.#sort();
  }

  /** Once a second, which of those who open nothing sent most, while others open something. */
  lookAtStrangers(now: number): { readonly source: number; readonly perSecond: number } | undefined {
    if (now - this.#lookedAt < LOOK_EVERY) return undefined;
    this.#lookedAt = now;
    let loudest: { source: number; perSecond: number } | undefined;
    for (const sender of this.#strangers) {
      const perSecond = (1000 * sender.packets) / Math.max(LOOK_EVERY, now - sender.lookedAt);
      sender.packets = 0;
      sender.lookedAt = now;
      if (perSecond > (loudest?.perSecond ?? MIN_TOLD)) loudest = { source: sender.source, perSecond };
    }
    return this.#opened.length > 0 ? loudest : undefined;
  }

  /** Makes room: whoever has been silent longest goes, else whoever had a place for longest. @returns whether one went. */
  #forget(now: number): boolean {
    let silent: MediaSender | undefined;
    let first: MediaSender | undefined;
    for (const sender of this.#strangers) {
      if (silent === undefined || sender.lastArrival < silent.lastArrival) silent = sender;
      if (first === undefined || sender.firstArrival < first.firstArrival) first = sender;
    }
    const gone =
      silent !== undefined && now - silent.lastArrival > SILENT_AFTER
        ? silent
        : first !== undefined && now - first.firstArrival > MAX_TENURE
          ? first
          : undefined;
    if (gone === undefined) return false;
    this.#senders.delete(gone.source);
    gone.forget();
    this.#sort();
    return true;
  }

  #sort(): void {
    const senders = [...this.#senders.values()];
    this.#opened = senders.filter(({ hasOpened }) => hasOpened);
    this.#strangers = senders.filter(({ hasOpened }) => !hasOpened);
  }
}
