import {
  type CardHeader,
  MAX_PACKETS,
  parseCardHeader,
  readCardPartLength,
  completeCardPart,
} from '../../../apdu/decode-module/packets/card-part.ts';
import { CARD_HEADER } from '../../../apdu/layout/packets.ts';
import type { MediaPacket } from '../packet/media-packet.ts';
import { MKI_LENGTH } from '../packet/mki.ts';
import { AEAD_TAG } from '../packet/packet-aead.ts';
import { guessIndex } from '../packet/packet-index.ts';
import { MAX_DATAGRAM, RTP_HEADER } from '../packet/rtp-packet.ts';
import { type HeldPacket, PACKET_BUFFER, type PacketPool } from './packet-pool.ts';

/** A card packet with what its card part says. Only the card can tell whether that is authentic. */
export interface HeldCardPacket {
  readonly packet: HeldPacket;
  /** The whole card part, as DECODE takes it. */
  readonly part: Uint8Array;
  /** Octets of the card part as it was sent. */
  readonly sentLength: number;
  readonly header: CardHeader;
}

/** What became of a packet offered to a group. */
export type PacketOutcome = 'held' | 'duplicate' | 'malformed' | 'forged';

/**
 * Rivals held: gap packets with the sequence number of another one and other octets. Only opening tells the true one.
 */
const MAX_RIVALS = 16;
const MAX_CARD_PACKETS = 4;
/** Octets of clear payload that one lost packet can have had. */
const MAX_LOST_PAYLOAD = MAX_DATAGRAM - RTP_HEADER - MKI_LENGTH;

/** The packets of one group, in the order in which they came. */
export class PacketGroup {
  readonly number: number;
  /** Usually one. Where forged ones came too, the card says which one is authentic. */
  readonly cards: HeldCardPacket[] = [];
  /** ms, of the newest packet. */
  lastArrival: number;
  /** ms, when it was seen that the sender is past this group; undefined before. */
  closedAt: number | undefined;
  /** Whether the card is being asked about it. */
  isTaken = false;
  /** Whether a packet of it does not open. The true one may still come. */
  isDoubtful = false;
  readonly #pool: PacketPool;
  readonly #gaps: HeldPacket[] = [];
  readonly #rivals: HeldPacket[] = [];
  /** How far the newest gap packet is ahead of the one that came first. */
  #highest = -1;
  #inOrder = true;
  /** How many gap packets lie in the range that the first card packet names. */
  #inRange = 0;

  constructor(number: number, pool: PacketPool, now: number) {
    this.number = number;
    this.#pool = pool;
    this.lastArrival = now;
  }

  get packets(): number {
    return this.cards.length + this.#gaps.length + this.#rivals.length;
  }

  /** Octets of memory in use. */
  get size(): number {
    return this.packets * PACKET_BUFFER;
  }

  /** Whether every packet is here that the first card packet names. */
  get isComplete(): boolean {
    const card = this.cards[0];
    return card !== undefined && this.#inRange + 1 === card.header.packets;
  }

  /** Takes in a packet; its octets are copied. */
  add(packet: MediaPacket, now: number): PacketOutcome {
    const outcome = packet.cardPacket ? this.#addCard(packet) : this.#addGap(packet);
    if (outcome === 'held') {
      this.lastArrival = now;
      const card = this.cards[0];
      if (card !== undefined && this.closedAt === undefined && isLast(card, packet.rtp.sequence)) this.closedAt = now;
    }
    return outcome;
  }

  /** Takes out a card packet that was refused. The range that it named no longer counts. */
  refuse(card: HeldCardPacket): void {
    this.cards.splice(this.cards.indexOf(card), 1);
    this.#pool.release(card.packet);
    this.#recount();
  }

  /** Gives the memory of all packets back. The group must not be used any more. */
  release(): void {
    for (const { packet } of this.cards) this.#pool.release(packet);
    for (const packet of this.#gaps) this.#pool.release(packet);
    for (const packet of this.#rivals) this.#pool.release(packet);
  }

  /** Position of a gap packet in the group that a card packet names, 1 to 1,999; 0 when it lies outside. */
  positionOf(card: HeldCardPacket, sequence: number): number {
    const position = guessIndex(card.header.index, sequence) - card.header.index;
    return position > 0 && position < card.header.packets ? position : 0;
  }

  /** The gap packets in the order of their sequence numbers. Rivals stand side by side. */
  inOrder(card: HeldCardPacket): readonly MediaPacket[] {
    if (this.#inOrder) return this.#gaps;
    const ahead = (packet: MediaPacket) => toSigned16(packet.rtp.sequence - card.packet.rtp.sequence);
    return [...this.#gaps, ...this.#rivals].toSorted((a, b) => ahead(a) - ahead(b));
  }

  /** Whether a packet of a later group, by its sequence number, shows that this group was sent to its end. */
  isBehind(sequence: number): boolean {
    const card = this.cards[0];
    return card === undefined || guessIndex(card.header.index, sequence) >= card.header.index + card.header.packets;
  }

  /** How many packets the card packet names that did not come. */
  missingPackets(card: HeldCardPacket): number {
    return card.header.packets - 1 - this.#countInRange(card);
  }

  /** Octets of clear payload that came, as far as lengths tell before anything is opened. */
  receivedOctets(card: HeldCardPacket): number {
    const overhead = MKI_LENGTH + (card.header.mode === 'sealed' ? AEAD_TAG : 0);
    const content = 16 * (card.header.spanBlocks - 1);
    const rest = card.packet.octets.length - card.packet.rtp.length - card.sentLength - overhead;
    // Protocol 5.1: a payload shorter than the span is the only one of its group, and the header gives its length.
    if (rest === 0 && card.header.packets === 1) return Math.min(content, card.header.octets);
    let octets = content + rest;
    for (const { rtp, octets: gap } of this.#gaps) {
      if (this.positionOf(card, rtp.sequence) !== 0) octets += Math.max(0, gap.length - rtp.length - overhead);
    }
    return octets;
  }

  /** Whether the header claims more octets than came and may have been lost. */
  isOverDeclared(card: HeldCardPacket): boolean {
    return card.header.octets > this.receivedOctets(card) + this.missingPackets(card) * MAX_LOST_PAYLOAD;
  }

  #addGap(packet: MediaPacket): PacketOutcome {
    const { sequence } = packet.rtp;
    const ahead = toSigned16(sequence - (this.#gaps[0]?.rtp.sequence ?? sequence));
    // Rising numbers are the usual case, and need no search for a twin.
    if (ahead > this.#highest) {
      this.#highest = ahead;
    } else {
      const twin = this.#gaps.find((gap) => gap.rtp.sequence === sequence);
      if (twin !== undefined) return this.#addRival(twin, packet);
      this.#inOrder = false;
    }
    if (this.#gaps.length >= MAX_PACKETS) return 'forged';
    this.#gaps.push(this.#pool.hold(packet));
    const card = this.cards[0];
    if (card !== undefined && this.positionOf(card, sequence) !== 0) this.#inRange++;
    return 'held';
  }

  #addRival(twin: MediaPacket, packet: MediaPacket): PacketOutcome {
    if ([twin, ...this.#rivals].some((known) => hasSameOctets(known.octets, packet.octets))) return 'duplicate';
    if (this.#rivals.length >= MAX_RIVALS) return 'forged';
    this.#rivals.push(this.#pool.hold(packet));
    this.#inOrder = false;
    return 'held';
  }

  #addCard(packet: MediaPacket): PacketOutcome {
    if (this.cards.some((card) => hasSameOctets(card.packet.octets, packet.octets))) return 'duplicate';
    if (this.cards.length >= MAX_CARD_PACKETS) return 'forged';
    const read = readCardPacket(packet);
    if (read === undefined) return 'malformed';
    this.cards.push({ ...read, packet: this.#pool.hold(packet) });
    if (this.cards.length === 1) this.#recount();
    return 'held';
  }

  #recount(): void {
    const card = this.cards[0];
    this.#inRange = card === undefined ? 0 : this.#countInRange(card);
    if (card !== undefined && this.#gaps.some((gap) => isLast(card, gap.rtp.sequence)))
      this.closedAt ??= this.lastArrival;
  }

  #countInRange(card: HeldCardPacket): number {
    let count = 0;
    for (const gap of this.#gaps) if (this.positionOf(card, gap.rtp.sequence) !== 0) count++;
    return count;
  }
}

/** What a card packet says; undefined when it is malformed. */
function readCardPacket(packet: MediaPacket): Omit<HeldCardPacket, 'packet'> | undefined {
  const payload = packet.octets.subarray(packet.rtp.length, packet.octets.length - MKI_LENGTH);
  let sentLength: number;
  try {
    sentLength = readCardPartLength(payload);
  } catch {
    return undefined;
  }
  const part = completeCardPart(payload.subarray(0, sentLength), packet.rtp.ssrc, packet.group);
  const header = parseCardHeader(part);
  // Protocol 5.1: the index ends in the sequence number, flags are zero, there are 1 to 2,000 packets.
  const isWellFormed =
    header.index % 0x10000 === packet.rtp.sequence &&
    CARD_HEADER.readUint(part, 'flagsAndPackets') === header.packets &&
    header.packets >= 1 &&
    header.packets <= MAX_PACKETS &&
    payload.length >= sentLength + (header.mode === 'sealed' ? AEAD_TAG : 0);
  return isWellFormed ? { part, sentLength, header } : undefined;
}

/** RFC 3550 A.1: how far one sequence number is ahead of another, -2^15 to 2^15 - 1. */
function toSigned16(difference: number): number {
  return (difference << 16) >> 16;
}

function isLast(card: HeldCardPacket, sequence: number): boolean {
  return guessIndex(card.header.index, sequence) === card.header.index + card.header.packets - 1;
}

function hasSameOctets(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
