import { hasSameOctets } from '../../../apdu/octets.ts';
import type { MediaPacket } from '../packet/media-packet.ts';
import { MKI_LENGTH } from '../packet/mki.ts';
import { AEAD_TAG } from '../packet/packet-aead.ts';
import { guessIndex } from '../packet/packet-index.ts';
import { MAX_DATAGRAM, RTP_HEADER } from '../packet/rtp-packet.ts';
import { GapPackets } from './gap-packets.ts';
import { type HeldCardPacket, readCardPacket } from './held-card-packet.ts';
import { PACKET_BUFFER, type PacketPool } from './packet-pool.ts';

/** What became of a packet offered to a group. */
export type PacketOutcome = 'held' | 'duplicate' | 'malformed' | 'forged';

const MAX_CARD_PACKETS = 64;
/** Octets of clear payload that one lost packet can have had. */
const MAX_LOST_PAYLOAD = MAX_DATAGRAM - RTP_HEADER - MKI_LENGTH;

/** The packets of one group from one sender. Whoever forges that sender's address adds to them. */
export class PacketGroup {
  readonly number: number;
  /** Usually one. Where forged ones came too, the card says which one is authentic. */
  readonly cards: HeldCardPacket[] = [];
  /** ms, of the newest packet that is no rival of another. */
  lastArrival: number;
  /** ms, when a later group was seen to have begun behind this one; undefined before. */
  passedAt: number | undefined;
  /** Whether the card is being asked about it. */
  isTaken = false;
  /** Whether a packet of it does not open. The true one may still come. */
  isDoubtful = false;
  /** Whether so little of it came that what showed its end may be forged. */
  isEndDoubtful = false;
  readonly #pool: PacketPool;
  readonly #gaps: GapPackets;
  /** ms, when the last packets were here that its card packets name; undefined before. */
  #endedAt: number | undefined;

  constructor(number: number, pool: PacketPool, now: number) {
    this.number = number;
    this.#pool = pool;
    this.#gaps = new GapPackets(pool);
    this.lastArrival = now;
  }

  get packets(): number {
    return this.cards.length + this.#gaps.count;
  }

  /** Octets of memory in use. */
  get size(): number {
    return this.packets * PACKET_BUFFER;
  }

  /** ms, when it was seen that the sender is past this group; undefined before. */
  get closedAt(): number | undefined {
    if (this.passedAt === undefined || this.#endedAt === undefined) return this.passedAt ?? this.#endedAt;
    return Math.min(this.passedAt, this.#endedAt);
  }

  /** Takes in a packet, which the pool holds. */
  add(packet: MediaPacket, now: number): PacketOutcome {
    const outcome = packet.cardPacket ? this.#addCard(packet) : this.#gaps.add(packet);
    // A rival may be forged, and must not keep the group waiting.
    if (outcome === 'rival') return 'held';
    if (outcome === 'held') {
      this.lastArrival = now;
      if (packet.cardPacket || this.#isLast(packet.rtp.sequence)) this.#lookForEnd();
    }
    return outcome;
  }

  /** Takes out a card packet that was refused. The range that it named no longer counts. */
  refuse(card: HeldCardPacket): void {
    this.cards.splice(this.cards.indexOf(card), 1);
    card.packet.memory.release();
    this.#lookForEnd();
  }

  /** Gives the memory of all packets back. The group must not be used any more. */
  release(): void {
    for (const { packet } of this.cards) packet.memory.release();
    this.#gaps.release();
  }

  /** Whether every packet is here that a card packet names. */
  isComplete(card: HeldCardPacket): boolean {
    return this.missingPackets(card) === 0;
  }

  /**
   * The card packet to ask about: one whose packets are all here, or any when the group is due.
   * @param index of the first packet, where that is known: whoever names another one is asked about last.
   */
  chooseCard(isDue: boolean, index: number | undefined): HeldCardPacket | undefined {
    const [first] = this.cards;
    if (this.cards.length <= 1) return first !== undefined && (isDue || this.isComplete(first)) ? first : undefined;
    let best: HeldCardPacket | undefined;
    let bestRank = isDue ? -1 : 0;
    for (const card of this.cards) {
      const rank = this.#rank(card, index);
      if (rank <= bestRank) continue;
      best = card;
      bestRank = rank;
    }
    return best;
  }

  /** Position of a gap packet in the group that a card packet names, 1 to 1,999; 0 when it lies outside. */
  positionOf(card: HeldCardPacket, sequence: number): number {
    const position = guessIndex(card.header.index, sequence) - card.header.index;
    return position > 0 && position < card.header.packets ? position : 0;
  }

  /** The gap packets that a card packet names, in the order of their positions; of rivals the one that came first. */
  inOrder(card: HeldCardPacket): readonly MediaPacket[] {
    return this.#gaps.from(firstGapOf(card), card.header.packets - 1);
  }

  /** The gap packets with this sequence number besides the one that came first. */
  rivalsOf(sequence: number): readonly MediaPacket[] {
    return this.#gaps.rivalsOf(sequence);
  }

  /** All gap packets with this sequence number. */
  gapsAt(sequence: number): readonly MediaPacket[] {
    return this.#gaps.at(sequence);
  }

  /** Whether a packet of a later group, by its sequence number, shows that this group was sent to its end. */
  isBehind(sequence: number): boolean {
    return this.cards.every(({ header }) => guessIndex(header.index, sequence) >= header.index + header.packets);
  }

  /** How many packets the card packet names that did not come. */
  missingPackets(card: HeldCardPacket): number {
    const gaps = card.header.packets - 1;
    return gaps === 0 ? 0 : gaps - this.#gaps.countFrom(firstGapOf(card), gaps);
  }

  /** Octets of clear payload that came, as far as lengths tell before anything is opened. */
  receivedOctets(card: HeldCardPacket): number {
    const overhead = MKI_LENGTH + (card.header.mode === 'sealed' ? AEAD_TAG : 0);
    const content = 16 * (card.header.spanBlocks - 1);
    const rest = card.packet.octets.length - card.packet.rtp.length - card.sentLength - overhead;
    // Protocol 5.1: a payload shorter than the span is the only one of its group, and the header gives its length.
    if (rest === 0 && card.header.packets === 1) return Math.min(content, card.header.octets);
    let octets = content + rest;
    for (const { rtp, octets: gap } of this.inOrder(card)) octets += Math.max(0, gap.length - rtp.length - overhead);
    return octets;
  }

  /** Whether the header claims more octets than came and may have been lost. */
  isOverDeclared(card: HeldCardPacket): boolean {
    return card.header.octets > this.receivedOctets(card) + this.missingPackets(card) * MAX_LOST_PAYLOAD;
  }

  #addCard(packet: MediaPacket): PacketOutcome {
    if (this.cards.some((card) => hasSameOctets(card.packet.octets, packet.octets))) return 'duplicate';
    if (this.cards.length >= MAX_CARD_PACKETS) return 'forged';
    const read = readCardPacket(packet);
    if (read === undefined) return 'malformed';
    this.cards.push({ ...read, packet: this.#pool.hold(packet) });
    return 'held';
  }

  #isLast(sequence: number): boolean {
    for (const { last } of this.cards) if (last === sequence) return true;
    return false;
  }

  /** A forged card packet that names few packets must not end the group of the true one. */
  #lookForEnd(): void {
    const hasEnded = this.cards.every((card) => card.header.packets === 1 || this.#gaps.at(card.last).length > 0);
    this.#endedAt = hasEnded && this.cards.length > 0 ? (this.#endedAt ?? this.lastArrival) : undefined;
  }

  /** How well a card packet fits to what came: 3 to the octet, 2 or 1 complete, 0 not. What it says may be forged. */
  #rank(card: HeldCardPacket, index: number | undefined): number {
    if (!this.isComplete(card)) return 0;
    if (index !== undefined && card.header.index !== index) return 1;
    return card.header.octets === this.receivedOctets(card) ? 3 : 2;
  }
}

function firstGapOf({ header }: HeldCardPacket): number {
  return (header.index + 1) % 0x10000;
}
