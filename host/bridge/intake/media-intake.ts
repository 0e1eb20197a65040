import {
  ASSEMBLER_DEFAULTS,
  type AssemblerOptions,
  type GroupAssembler,
  type StreamDrop,
} from '../../stream/opening/group-assembler.ts';
import type { HeldCardPacket } from '../../stream/opening/held-card-packet.ts';
import type { PacketGroup } from '../../stream/opening/packet-group.ts';
import { PacketPool } from '../../stream/opening/packet-pool.ts';
import { type MediaPacket, readMediaPacket } from '../../stream/packet/media-packet.ts';
import type { PacketKeeper } from '../../stream/packet/packet-keeper.ts';
import { MediaSender } from './media-sender.ts';
import { SenderTable } from './sender-table.ts';
import { type Preference, StrangerShare } from './stranger-share.ts';

/** Octets of memory for packets of all who have opened nothing. */
const MAX_STRANGER_OCTETS = 16 * 1024 * 1024;
/** ms without an opened group after which others may take a stream over. */
const TAKEN_OVER_AFTER = 1000;
/** Streams whose position is remembered. */
const MAX_POSITIONS = 8;

/** Why a packet was let go unopened; `stranger`: it came from somebody else than those whose groups open. */
export type IntakeDrop = StreamDrop | 'stranger';

/** A group whose turn it is. */
export interface TakenGroup {
  readonly group: PacketGroup;
  readonly card: HeldCardPacket;
  readonly stream: GroupAssembler;
  readonly sender: MediaSender;
  /** Whether its sender has opened nothing, so that somebody else's is the stream. */
  readonly isStrange: boolean;
}

/** The same group as another sender sent it. */
export type OtherGroup = Pick<TakenGroup, 'group' | 'stream' | 'sender'>;

const NO_OTHERS: readonly OtherGroup[] = [];

export interface MediaIntakeOptions {
  readonly onDrop: (reason: IntakeDrop, packets: number) => void;
  /**
   * Offered a packet of the group that was opened last, which had not come by then. @returns whether it was opened too.
   */
  readonly openLate?: (packet: MediaPacket) => boolean;
  /** Whether the card holds a content key for a stream. */
  readonly isKnown?: (ssrc: number) => boolean;
  readonly stream?: Partial<AssemblerOptions> | undefined;
}

/** How far a stream was opened, and by whose packets. */
interface Position {
  readonly group: number;
  readonly card: HeldCardPacket;
  readonly sender: MediaSender;
  /** ms. */
  readonly at: number;
}

/**
 * Sorts the datagrams of the media port by sender and stream (SSRC). Those whose groups were opened come first, and
 * have room of their own; all others share the rest, and have their turns one after the other.
 */
export class MediaIntake {
  readonly #onDrop: (reason: IntakeDrop, packets: number) => void;
  readonly #isKnown: (ssrc: number) => boolean;
  readonly #openLate: (packet: MediaPacket) => boolean;
  readonly #options: AssemblerOptions;
  readonly #pool = new PacketPool();
  readonly #senders: SenderTable;
  /** By SSRC; the one opened longest ago stands first. */
  readonly #positions = new Map<number, Position>();
  #newestPosition: Position | undefined;
  /** Where the newest packet went. */
  #newest: { sender: MediaSender; ssrc: number; stream: GroupAssembler } | undefined;
  readonly #strangerShare = new StrangerShare();
  #turns = 0;
  /** ms, of the newest packet; -Infinity before. */
  lastArrival = -Infinity;

  constructor({ onDrop, isKnown = () => false, openLate = () => false, stream = {} }: MediaIntakeOptions) {
    this.#onDrop = onDrop;
    this.#openLate = openLate;
    this.#isKnown = isKnown;
    this.#options = { ...ASSEMBLER_DEFAULTS, ...stream, pool: this.#pool, onDrop: () => undefined };
    this.#senders = new SenderTable((source, now) => this.#makeSender(source, now));
  }

  /**
   * Takes in datagrams; what is held of them is copied, unless their keeper keeps it.
   * @param sources where each came from; 0 for those left out.
   */
  add(datagrams: readonly Uint8Array[], sources: ArrayLike<number>, now: number, keeper?: PacketKeeper): void {
    let strange = 0;
    for (let i = 0; i < datagrams.length; i++) {
      if (!this.#addOne(datagrams[i]!, sources[i] ?? 0, now, keeper)) strange++;
    }
    this.#strangerShare.add(strange);
    this.#limitStrangers();
  }

  /**
   * The groups to ask the card about next. At most one of each stream, so that none keeps another waiting.
   * @param asksStrangers whether those have a turn who have opened nothing.
   */
  *take(now: number, asksStrangers = true): Generator<TakenGroup, void, undefined> {
    const { opened, strangers } = this.#senders;
    for (const sender of byTurn(opened)) yield* this.#takeFrom(sender, now);
    if (!asksStrangers) return;
    for (const sender of byTurn(strangers)) yield* this.#takeFrom(sender, now);
  }

  /** The same group as other senders sent it. */
  othersOf({ group, card, sender }: Pick<TakenGroup, 'group' | 'card' | 'sender'>): readonly OtherGroup[] {
    if (this.#senders.count === 1) return NO_OTHERS;
    const others: OtherGroup[] = [];
    for (const other of this.#senders.all) {
      const stream = other === sender ? undefined : other.streams.get(card.header.ssrc);
      const same = stream?.find(group.number);
      if (same !== undefined) others.push({ group: same, stream: stream!, sender: other });
    }
    return others;
  }

  /** Whether a group of which some does not open may wait for the true packets, of its sender or another one. */
  canAwaitPackets(taken: TakenGroup, now: number): boolean {
    const { group, stream, card, sender } = taken;
    if (stream.canAwaitPackets(group, now)) return true;
    return this.othersOf({ group, card, sender }).some(
      (other) => (other.sender.hasOpened || !sender.hasOpened) && other.stream.canAwaitPackets(other.group, now),
    );
  }

  /**
   * A taken group was opened. It and all older groups go, whoever sent them.
   * @param isRight whether what its sender sent for it opened; if not, others sent the true packets.
   */
  settle({ group, card, sender, stream }: TakenGroup, isRight: boolean, now: number): void {
    const { ssrc } = card.header;
    this.#positions.delete(ssrc);
    this.#newestPosition = { group: group.number, card, sender, at: now };
    this.#positions.set(ssrc, this.#newestPosition);
    if (this.#positions.size > MAX_POSITIONS) this.#positions.delete(this.#positions.keys().next().value!);
    if (isRight) this.#senders.markOpened(sender, now);
    for (const other of this.othersOf({ group, card, sender })) other.sender.dropped('late', other.group.packets);
    for (const each of this.#senders.all) each.streams.get(ssrc)?.settle(group.number, card, now);
    // It has lost its place meanwhile, but its group has not given its memory back.
    if (sender.isForgotten) stream.settle(group.number, card, now);
  }

  /** The card refused a card packet of a taken group. */
  refused({ sender }: TakenGroup): void {
    sender.refused++;
  }

  /** Whose group was opened last, by address and port; undefined before. */
  get newestSource(): number | undefined {
    return this.#newestPosition?.sender.source;
  }

  /** Octets of memory for packets, used or not. */
  get memory(): number {
    return this.#pool.octets;
  }

  /** Whether groups are being opened at present: then those who send them come first. */
  isPlaying(now: number): boolean {
    return now - this.#senders.lastOpenedAt < TAKEN_OVER_AFTER;
  }

  /** Whether the end of this stream can end the run: something of it was opened, or nothing of any was. */
  canEnd(ssrc: number): boolean {
    return this.#positions.size > 0 ? this.#positions.has(ssrc) : this.hasStream(ssrc);
  }

  /** Whether it holds, or lately held, packets of this stream. */
  hasStream(ssrc: number): boolean {
    for (const { streams } of this.#senders.all) if (streams.has(ssrc)) return true;
    return false;
  }

  /** ms, of the newest packet of those who have opened a group; of anybody, where none has. */
  get lastOwnArrival(): number {
    const { opened } = this.#senders;
    return opened.length === 0 ? this.lastArrival : Math.max(...opened.map(({ lastArrival }) => lastArrival));
  }

  /** Lets the groups go that have waited too long. `take` does it too. */
  expire(now: number): void {
    for (const sender of this.#senders.all) sender.expire(now);
  }

  /** When `take` may have something if nothing comes before; Infinity when nothing is held. */
  get dueAt(): number {
    let due = Infinity;
    for (const { streams } of this.#senders.all) {
      for (const stream of streams.values()) due = Math.min(due, stream.dueAt);
    }
    return due;
  }

  /** Whether no group is held of those who have opened one; of anybody, where none has. */
  get isEmpty(): boolean {
    const { opened, all } = this.#senders;
    for (const { streams } of opened.length > 0 ? opened : all) {
      for (const stream of streams.values()) if (stream.groups > 0) return false;
    }
    return true;
  }

  /** Whose packets the network should prefer from now on; undefined when that stays as it is. */
  choosePreference(now: number): Preference | undefined {
    return this.#strangerShare.look(now, this.isPlaying(now), () => this.#senders.opened.map(({ source }) => source));
  }

  /** The one of those that open nothing who sent most since the last look; undefined when nobody else does. */
  lookAtStrangers(now: number): { readonly source: number; readonly perSecond: number } | undefined {
    return this.#senders.lookAtStrangers(now);
  }

  /** @returns whether it came of one who has opened a group. */
  #addOne(datagram: Uint8Array, source: number, now: number, keeper: PacketKeeper | undefined): boolean {
    const sender = this.#senderOf(source, now);
    if (sender === undefined) {
      this.#onDrop('stranger', 1);
      return false;
    }
    sender.packets++;
    sender.lastArrival = now;
    const packet = readMediaPacket(datagram);
    if (packet === undefined) {
      sender.dropped('malformed', 1);
      return sender.hasOpened;
    }
    const { ssrc, length } = packet.rtp;
    sender.octets += datagram.length - length;
    if (this.#newest?.sender !== sender || this.#newest.ssrc !== ssrc) {
      const stream = this.#streamOf(sender, ssrc, now);
      if (stream === undefined) {
        this.#onDrop('stranger', 1);
        return false;
      }
      this.#newest = { sender, ssrc, stream };
    }
    // A short packet keeps the memory of many: that is for those alone who are known.
    this.#pool.keeper = sender.hasOpened ? keeper : undefined;
    this.#newest.stream.add(packet, now);
    this.lastArrival = now;
    return sender.hasOpened;
  }

  #senderOf(source: number, now: number): MediaSender | undefined {
    const newest = this.#newest?.sender;
    return newest?.source === source && !newest.isForgotten ? newest : this.#senders.find(source, now);
  }

  /** @returns undefined when somebody who has opened nothing begins a stream that no key is for, while others play. */
  #streamOf(sender: MediaSender, ssrc: number, now: number): GroupAssembler | undefined {
    const isNew = !sender.streams.has(ssrc);
    if (isNew && !sender.hasOpened && this.isPlaying(now) && !this.#isKnown(ssrc)) return undefined;
    const stream = sender.streamOf(ssrc, this.#isKnown);
    const position = isNew ? this.#positions.get(ssrc) : undefined;
    if (position !== undefined) stream.settle(position.group, position.card, position.at);
    return stream;
  }

  *#takeFrom(sender: MediaSender, now: number): Generator<TakenGroup, void, undefined> {
    for (const [ssrc, stream] of sender.streams) {
      if (this.#isPlayedByOther(ssrc, sender, now)) continue;
      const taken = stream.take(now);
      if (taken === undefined) continue;
      sender.turn = ++this.#turns;
      yield { ...taken, stream, sender, isStrange: !sender.hasOpened && this.#senders.opened.length > 0 };
    }
  }

  /** Whether somebody else's packets of this stream are being opened, so that this sender's are not worth a command. */
  #isPlayedByOther(ssrc: number, sender: MediaSender, now: number): boolean {
    const position = this.#positions.get(ssrc);
    return (
      position !== undefined && position.sender !== sender && !sender.hasOpened && now - position.at < TAKEN_OVER_AFTER
    );
  }

  /** Of those who have opened nothing, whoever holds most gives up what is farthest ahead. */
  #limitStrangers(): void {
    const { strangers } = this.#senders;
    if (strangers.length === 0) return;
    for (;;) {
      let total = 0;
      let largest: MediaSender | undefined;
      for (const sender of strangers) {
        const { size } = sender;
        total += size;
        if (largest === undefined || size > largest.size) largest = sender;
      }
      if (total <= MAX_STRANGER_OCTETS || largest?.dropFarthest() !== true) return;
    }
  }

  #makeSender(source: number, now: number): MediaSender {
    // What strangers send does not count as the stream's: it was not lost, and the card was not too slow for it.
    const onDrop = (reason: StreamDrop, packets: number): void =>
      this.#onDrop(sender.hasOpened || this.#senders.opened.length === 0 ? reason : 'stranger', packets);
    const openLate = (packet: MediaPacket): boolean => this.#isForNewest(packet, sender) && this.#openLate(packet);
    const sender = new MediaSender(source, { ...this.#options, onDrop, openLate }, now);
    return sender;
  }

  /** In mode open, where nothing tells a forged packet, only the one whose group it was adds to it. */
  #isForNewest({ rtp, group }: MediaPacket, sender: MediaSender): boolean {
    const newest = this.#newestPosition;
    if (newest?.group !== group || newest.card.header.ssrc !== rtp.ssrc) return false;
    return newest.card.header.mode === 'sealed' || newest.sender === sender;
  }
}

/** Whose card packets were refused less comes first, then whose last turn is longest ago. */
function byTurn(senders: readonly MediaSender[]): readonly MediaSender[] {
  if (senders.length < 2) return senders;
  return senders.toSorted((a, b) => a.refused - b.refused || a.turn - b.turn);
}
