import type { MediaPacket } from '../packet/media-packet.ts';
import { type HeldCardPacket, PacketGroup } from './packet-group.ts';
import { PACKET_BUFFER, PacketPool } from './packet-pool.ts';

/** Why a packet was let go unopened. */
export type StreamDrop = 'malformed' | 'duplicate' | 'late' | 'forged' | 'noCardPacket' | 'overflow';

export interface AssemblerOptions {
  /** ms that a group waits for stragglers and repairs once the sender is past it. */
  readonly repairTime: number;
  /** ms without a packet after which a group counts as sent to its end, whatever followed; above the longest closing time. */
  readonly idleTime: number;
  /** ms that a group is kept at most after its last packet. */
  readonly patience: number;
  /** Octets of memory for packets. */
  readonly maxOctets: number;
  readonly maxGroups: number;
  /** Told of every packet let go. */
  readonly onDrop: (reason: StreamDrop, packets: number) => void;
}

/** Enough for half a second of 100 Mbit/s, and for groups of 1,024 packets. */
export const ASSEMBLER_DEFAULTS = {
  repairTime: 100,
  idleTime: 1500,
  patience: 3000,
  maxOctets: 8 * 1024 * 1024,
  maxGroups: 4096,
} as const;

/**
 * Puts the packets of one stream (SSRC) into groups and gives the groups out in rising order: the bounded reorder buffer. A group comes out
 * when it is complete and the one before it is settled, or when its repair time is over. Pure: time is an argument.
 *
 * Nothing in it is authenticated before the card has answered, so nothing but an opened group moves what counts as late.
 */
export class GroupAssembler {
  readonly #options: AssemblerOptions;
  readonly #pool = new PacketPool();
  /** By rising number. */
  readonly #groups: PacketGroup[] = [];
  #size = 0;
  /** The newest group opened: its packets, and those of older ones, come too late. */
  #opened = 0;
  /** The newest group not worth waiting for any longer; never below `#opened`. */
  #passed = 0;
  #sweepAt = 0;

  constructor(options: AssemblerOptions) {
    this.#options = options;
  }

  /** Whether a group of this stream has been opened. */
  get opened(): boolean {
    return this.#opened > 0;
  }

  /** Octets of memory taken up. */
  get size(): number {
    return this.#size;
  }

  /** Groups held. */
  get groups(): number {
    return this.#groups.length;
  }

  /**
   * Takes in a copy of a packet.
   * @param now ms of a clock that does not run backwards.
   */
  add(packet: MediaPacket, now: number): void {
    if (packet.group <= this.#opened) {
      this.#options.onDrop('late', 1);
      return;
    }
    const group = this.#groupOf(packet, now);
    const admission = group.add(packet, now);
    if (admission === 'held') {
      this.#size += PACKET_BUFFER;
      while (this.#size > this.#options.maxOctets || this.#groups.length > this.#options.maxGroups) {
        if (!this.#overflow()) break;
      }
    } else {
      this.#options.onDrop(admission, 1);
      if (group.packets === 0) this.#remove(group);
    }
  }

  /**
   * The group whose turn it is, with the card packet to ask about; undefined while there is none. It stays held, marked as taken, until
   * `settle`, `refuse`, `drop`, `putBack` or `wait`.
   */
  take(now: number): { readonly group: PacketGroup; readonly card: HeldCardPacket } | undefined {
    this.expire(now);
    for (let group = this.#groups[0]; group !== undefined && !group.taken; group = this.#groups[0]) {
      const due = now >= this.#dueAt(group);
      const card = group.cards[0];
      if (card !== undefined && (due || (group.complete && !group.doubtful && this.#isNext(group)))) {
        group.taken = true;
        return { group, card };
      }
      if (!due) return undefined;
      this.drop(group, 'noCardPacket');
    }
    return undefined;
  }

  /** When `take` may have something next, if no packet comes before; Infinity when nothing is held. */
  get dueAt(): number {
    const head = this.#groups[0];
    return head === undefined || head.taken ? Infinity : this.#dueAt(head);
  }

  /** A taken group has been opened: it and all before it are over. */
  settle(group: PacketGroup): void {
    this.#opened = group.number;
    this.#passed = group.number;
    for (let head = this.#groups[0]; head !== undefined && head.number <= group.number; head = this.#groups[0]) {
      this.#remove(head);
      if (head !== group) this.#options.onDrop('late', head.packets);
    }
  }

  /** The card refused a taken group's card packet. Another one that came for the same group gets its turn; without one the group goes. */
  refuse(group: PacketGroup, card: HeldCardPacket): void {
    group.taken = false;
    if (group.cards.length > 1) {
      this.#size -= PACKET_BUFFER;
      group.refuse(card);
    } else {
      this.#remove(group);
    }
  }

  /** A taken group could not be asked about now: it keeps its turn. */
  putBack(group: PacketGroup): void {
    group.taken = false;
  }

  /**
   * Some of what a taken group holds does not open: the true packets may still come, so its repair time is awaited.
   * @returns false when that is over, and the group to be opened as it is.
   */
  wait(group: PacketGroup, now: number): boolean {
    if (now >= this.#dueAt(group)) return false;
    group.doubtful = true;
    group.taken = false;
    return true;
  }

  /** Lets a group go unopened. Later packets of it are still taken in: what dropped it may have been forged. */
  drop(group: PacketGroup, reason?: StreamDrop): void {
    this.#remove(group);
    if (group.number === this.#passed + 1) this.#passed = group.number;
    if (reason !== undefined) this.#options.onDrop(reason, group.packets);
  }

  /** Lets all groups go but one that is taken. */
  clear(): void {
    for (const group of this.#groups.filter((held) => !held.taken)) this.drop(group, 'overflow');
  }

  /** Lets the groups go that have waited for too long. `take` does it too. */
  expire(now: number): void {
    // All of them are looked at: what forged numbers far ahead stays behind the head for ever.
    if (now < this.#sweepAt) return;
    const { patience, repairTime } = this.#options;
    this.#sweepAt = now + repairTime;
    for (const group of this.#groups.filter((held) => !held.taken && now - held.lastArrival > patience)) {
      this.drop(group, group.cards.length === 0 ? 'noCardPacket' : 'overflow');
    }
  }

  /** Whether nothing older is worth waiting for: all of it is settled, or the stream has only just been joined. */
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
    // Nearly every packet belongs to the newest group, so the search starts there.
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

  /** Lets the oldest group go that nobody waits for. @returns whether there was one. */
  #overflow(): boolean {
    const oldest = this.#groups.find((group) => !group.taken);
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
