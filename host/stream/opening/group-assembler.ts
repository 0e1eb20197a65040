import type { MediaPacket } from '../packet/media-packet.ts';
import { type HeldCardPacket, PacketGroup } from './packet-group.ts';
import { PACKET_BUFFER, PacketPool } from './packet-pool.ts';

/** Why a packet was let go unopened. */
export type StreamDrop = 'malformed' | 'duplicate' | 'late' | 'forged' | 'noCardPacket' | 'overflow';

export interface AssemblerOptions {
  /** ms for which a group waits for late and repaired packets once the sender is past it. */
  readonly repairTime: number;
  /** ms without a packet after which a group counts as sent to its end; more than any sender's closing time. */
  readonly idleTime: number;
  /** ms for which a group is kept after its last packet. */
  readonly patience: number;
  /** Octets of memory for packets. */
  readonly maxOctets: number;
  readonly maxGroups: number;
  /** Called with packets that are let go. */
  readonly onDrop: (reason: StreamDrop, packets: number) => void;
}

/** The memory is enough for half a second of 100 Mbit/s, and for two groups of 2,000 packets and most of a third. */
export const ASSEMBLER_DEFAULTS = {
  repairTime: 100,
  idleTime: 1500,
  patience: 3000,
  maxOctets: 8 * 1024 * 1024,
  maxGroups: 4096,
} as const;

/**
 * The bounded reorder buffer. It puts the packets of one stream (SSRC) into groups and gives these out in rising order.
 * A group comes out when it is complete and the one before it is settled, or when its repair time is over.
 *
 * Nothing is authenticated before the card has answered, so only an opened group decides which packets are late.
 */
export class GroupAssembler {
  readonly #options: AssemblerOptions;
  readonly #pool = new PacketPool();
  /** In rising order of their numbers. */
  readonly #groups: PacketGroup[] = [];
  #size = 0;
  /** Number of the newest group that was opened. Packets of it and of older groups are late. */
  #opened = 0;
  /** Number of the newest group that need not be waited for any longer; never below `#opened`. */
  #passed = 0;
  #sweepAt = 0;

  constructor(options: AssemblerOptions) {
    this.#options = options;
  }

  /** Whether a group of this stream has been opened. */
  get hasOpened(): boolean {
    return this.#opened > 0;
  }

  /** Octets of memory in use. */
  get size(): number {
    return this.#size;
  }

  /** Groups held. */
  get groups(): number {
    return this.#groups.length;
  }

  /**
   * Takes in a packet; its octets are copied.
   * @param now ms of a clock that does not run backwards.
   */
  add(packet: MediaPacket, now: number): void {
    if (packet.group <= this.#opened) {
      this.#options.onDrop('late', 1);
      return;
    }
    const group = this.#groupOf(packet, now);
    const outcome = group.add(packet, now);
    if (outcome === 'held') {
      this.#size += PACKET_BUFFER;
      while (this.#size > this.#options.maxOctets || this.#groups.length > this.#options.maxGroups) {
        if (!this.#overflow()) break;
      }
    } else {
      this.#options.onDrop(outcome, 1);
      if (group.packets === 0) this.#remove(group);
    }
  }

  /**
   * The group whose turn it is, with the card packet to ask about; undefined while there is none. The group stays held,
   * marked as taken, until one of `settle`, `refuse`, `drop`, `putBack` and `awaitPackets` is called with it.
   */
  take(now: number): { readonly group: PacketGroup; readonly card: HeldCardPacket } | undefined {
    this.expire(now);
    for (let group = this.#groups[0]; group !== undefined && !group.isTaken; group = this.#groups[0]) {
      const due = now >= this.#dueAt(group);
      const card = group.cards[0];
      if (card !== undefined && (due || (group.isComplete && !group.isDoubtful && this.#isNext(group)))) {
        group.isTaken = true;
        return { group, card };
      }
      if (!due) return undefined;
      this.drop(group, 'noCardPacket');
    }
    return undefined;
  }

  /** ms, when `take` may have something next if no packet comes before; Infinity when nothing is held. */
  get dueAt(): number {
    const head = this.#groups[0];
    return head === undefined || head.isTaken ? Infinity : this.#dueAt(head);
  }

  /** A taken group was opened. It and all older groups go. */
  settle(group: PacketGroup): void {
    this.#opened = group.number;
    this.#passed = group.number;
    for (let head = this.#groups[0]; head !== undefined && head.number <= group.number; head = this.#groups[0]) {
      this.#remove(head);
      if (head !== group) this.#options.onDrop('late', head.packets);
    }
  }

  /** A taken group's card packet was refused. Another card packet of the group gets its turn, or the group goes. */
  refuse(group: PacketGroup, card: HeldCardPacket): void {
    group.isTaken = false;
    if (group.cards.length > 1) {
      this.#size -= PACKET_BUFFER;
      group.refuse(card);
    } else {
      this.#remove(group);
    }
  }

  /** A taken group cannot be asked about now. It keeps its turn. */
  putBack(group: PacketGroup): void {
    group.isTaken = false;
  }

  /** Whether a taken group of which some does not open may wait for the true packets: until its repair time is over. */
  canAwaitPackets(group: PacketGroup, now: number): boolean {
    return now < this.#dueAt(group);
  }

  /** A taken group keeps its turn, but is given out again only when its repair time is over or it has changed. */
  awaitPackets(group: PacketGroup): void {
    group.isDoubtful = true;
    group.isTaken = false;
  }

  /** Lets a group go unopened. Later packets of it are still taken in, as forged packets may have been the cause. */
  drop(group: PacketGroup, reason?: StreamDrop): void {
    this.#remove(group);
    if (group.number === this.#passed + 1) this.#passed = group.number;
    if (reason !== undefined) this.#options.onDrop(reason, group.packets);
  }

  /** Lets all groups go except one that is taken. */
  clear(): void {
    for (const group of this.#groups.filter((held) => !held.isTaken)) this.drop(group, 'overflow');
  }

  /** Lets the groups go that have waited for too long. `take` does it too. */
  expire(now: number): void {
    // All groups are looked at: one with a forged number far ahead would never become the first.
    if (now < this.#sweepAt) return;
    const { patience, repairTime } = this.#options;
    this.#sweepAt = now + repairTime;
    for (const group of this.#groups.filter((held) => !held.isTaken && now - held.lastArrival > patience)) {
      this.drop(group, group.cards.length === 0 ? 'noCardPacket' : 'overflow');
    }
  }

  /** Whether no older group need be waited for: all are settled, or the stream has only just been joined. */
  #isNext(group: PacketGroup): boolean {
    return group.number === this.#passed + 1 || this.#opened === 0;
  }

  #dueAt(group: PacketGroup): number {
    const { repairTime, idleTime } = this.#options;
    if (group.closedAt === undefined) return group.lastArrival + idleTime;
    return Math.max(group.closedAt, group.lastArrival) + repairTime;
  }

  #groupOf({ group: number, rtp }: MediaPacket, now: number): PacketGroup {
    const groups = this.#groups;
    let at = groups.length;
    // Nearly every packet belongs to the newest group, so the search starts at the end.
    while (at > 0 && groups[at - 1]!.number > number) at--;
    const held = groups[at - 1];
    if (held?.number === number) return held;
    const group = new PacketGroup(number, this.#pool, now);
    if (at < groups.length) group.closedAt = now;
    groups.splice(at, 0, group);
    for (let i = at - 1; i >= 0; i--) {
      const earlier = groups[i]!;
      if (earlier.closedAt !== undefined) break;
      if (earlier.isBehind(rtp.sequence)) earlier.closedAt = now;
    }
    return group;
  }

  /** Lets the oldest group go that is not taken. @returns whether there was one. */
  #overflow(): boolean {
    const oldest = this.#groups.find((group) => !group.isTaken);
    if (oldest === undefined) return false;
    this.drop(oldest, 'overflow');
    return true;
  }

  #remove(group: PacketGroup): void {
    const at = this.#groups.indexOf(group);
    if (at < 0) return;
    this.#groups.splice(at, 1);
    this.#size -= group.size;
    group.release();
  }
}
