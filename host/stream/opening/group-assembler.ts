import type { MediaPacket } from '../packet/media-packet.ts';
import type { HeldCardPacket } from './held-card-packet.ts';
import { PacketGroup } from './packet-group.ts';
import { PACKET_BUFFER, PacketPool } from './packet-pool.ts';

/** Why a packet was let go unopened. */
export type StreamDrop = 'malformed' | 'duplicate' | 'late' | 'outside' | 'forged' | 'noCardPacket' | 'overflow';

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
  /** Memory for packets, where several streams share it. */
  readonly pool?: PacketPool;
  /** Offered a packet of the group that was opened last. @returns whether it was opened too; if not, it is late. */
  readonly openLate?: (packet: MediaPacket) => boolean;
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

/** Groups a ms by which a stream may have gone on since one was opened; no sender makes as many. */
const MAX_GROUPS_PER_MS = 100;

/**
 * The bounded reorder buffer. It puts the packets of one stream (SSRC) from one sender into groups and gives these out
 * in rising order. A group comes out when it is complete and the one before it is settled, or when its repair time is
 * over.
 *
 * Nothing is authenticated before the card has answered, so only an opened group decides which packets are late, and
 * which groups lie too far ahead to be taken in. Where there is too much, the farthest go.
 */
export class GroupAssembler {
  readonly #options: AssemblerOptions;
  readonly #pool: PacketPool;
  /** In rising order of their numbers. */
  readonly #groups: PacketGroup[] = [];
  #size = 0;
  /** Number of the newest group that was opened. Packets of it and of older groups are late. */
  #opened = 0;
  /** ms, when that was. */
  #openedAt = 0;
  /** Index of the first packet behind it; undefined before. */
  #nextIndex: number | undefined;
  /** Number of the newest group that need not be waited for any longer; never below `#opened`. */
  #passed = 0;
  #sweepAt = 0;

  constructor(options: AssemblerOptions) {
    this.#options = options;
    this.#pool = options.pool ?? new PacketPool();
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
   * Takes in a packet, which the pool holds.
   * @param now ms of a clock that does not run backwards.
   * @returns whether it is held.
   */
  add(packet: MediaPacket, now: number): boolean {
    const refusal = this.#refusal(packet.group, now);
    if (refusal !== undefined) {
      if (packet.group === this.#opened && this.#options.openLate?.(packet) === true) return false;
      this.#options.onDrop(refusal, 1);
      return false;
    }
    const group = this.#groupOf(packet, now);
    const outcome = group.add(packet, now);
    if (outcome !== 'held') {
      this.#options.onDrop(outcome, 1);
      if (group.packets === 0) this.#remove(group);
      return false;
    }
    this.#size += PACKET_BUFFER;
    while (this.#size > this.#options.maxOctets || this.#groups.length > this.#options.maxGroups) {
      if (!this.dropFarthest()) break;
    }
    return true;
  }

  /**
   * The group whose turn it is, with the card packet to ask about; undefined while there is none. The group stays held,
   * marked as taken, until one of `settle`, `refuse`, `drop`, `putBack` and `awaitPackets` is called with it.
   */
  take(now: number): { readonly group: PacketGroup; readonly card: HeldCardPacket } | undefined {
    this.expire(now);
    if (this.#opened === 0) return this.#takeAny(now);
    for (let group = this.#groups[0]; group !== undefined && !group.isTaken; group = this.#groups[0]) {
      const due = now >= this.#dueAt(group);
      const canAsk = due || (!group.isDoubtful && this.#isNext(group));
      const card = canAsk ? group.chooseCard(due, this.#indexOf(group)) : undefined;
      if (card !== undefined) {
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
    if (this.#opened === 0) {
      let due = Infinity;
      for (const [at, group] of this.#groups.entries()) {
        if (!group.isTaken) due = Math.min(due, this.#dueAt(group) + (at > 0 ? this.#options.repairTime : 0));
      }
      return due;
    }
    const head = this.#groups[0];
    return head === undefined || head.isTaken ? Infinity : this.#dueAt(head);
  }

  /** The group of this number, if it is held and not taken. */
  find(number: number): PacketGroup | undefined {
    const group = this.#groups[this.#placeOf(number) - 1];
    return group?.number === number && !group.isTaken ? group : undefined;
  }

  /**
   * A group was opened, of this sender or of another one of the stream. It and all older groups go.
   * @param card its card packet, which is authentic now.
   */
  settle(number: number, { header }: Pick<HeldCardPacket, 'header'>, now: number): void {
    if (number < this.#opened) return;
    this.#opened = number;
    this.#openedAt = now;
    this.#nextIndex = header.index + header.packets;
    this.#passed = Math.max(this.#passed, number);
    for (let head = this.#groups[0]; head !== undefined && head.number <= number; head = this.#groups[0]) {
      this.#remove(head);
      if (head.number !== number) this.#options.onDrop('late', head.packets);
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

  /**
   * Too little of a taken group came, but what shows its end may be forged: it waits on while no card packet of a later
   * group comes, for no longer than its sender may be silent.
   * @returns whether it waits.
   */
  awaitEnd(group: PacketGroup, now: number): boolean {
    group.isEndDoubtful = true;
    return now < this.#dueAt(group);
  }

  /** Lets a group go unopened. Later packets of it are still taken in, as forged packets may have been the cause. */
  drop(group: PacketGroup, reason?: StreamDrop): void {
    this.#remove(group);
    if (group.number === this.#passed + 1) this.#passed = group.number;
    if (reason !== undefined) this.#options.onDrop(reason, group.packets);
  }

  /**
   * Lets the group go that is farthest ahead and not taken. The one whose turn comes next is never forged by its
   * number, so it goes last.
   * @returns whether there was one.
   */
  dropFarthest(): boolean {
    const farthest = this.#groups.findLast((group) => !group.isTaken);
    if (farthest === undefined) return false;
    this.drop(farthest, 'overflow');
    return true;
  }

  /** Lets all groups go except one that is taken. */
  clear(): void {
    while (this.dropFarthest()) continue;
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

  /**
   * Before a group was opened nothing tells which number is next. So a group waits for those of lower numbers, which may
   * be forged, for twice its repair time and no longer.
   */
  #takeAny(now: number): { readonly group: PacketGroup; readonly card: HeldCardPacket } | undefined {
    let hasLower = false;
    for (let at = 0; at < this.#groups.length; at++) {
      const group = this.#groups[at]!;
      const due = !group.isTaken && now >= this.#dueAt(group) + (hasLower ? this.#options.repairTime : 0);
      const canAsk = due || !(hasLower || group.isTaken || group.isDoubtful);
      const card = canAsk ? group.chooseCard(due, undefined) : undefined;
      if (card !== undefined) {
        group.isTaken = true;
        return { group, card };
      }
      hasLower = true;
      if (due) {
        this.drop(group, 'noCardPacket');
        at--;
      }
    }
    return undefined;
  }

  /** Whether a packet of this group is too late, or too far ahead of what was opened to be of this stream. */
  #refusal(number: number, now: number): StreamDrop | undefined {
    if (number <= this.#opened) return 'late';
    if (this.#opened === 0) return undefined;
    const ahead = this.#options.maxGroups + MAX_GROUPS_PER_MS * (now - this.#openedAt);
    return number > this.#opened + ahead ? 'outside' : undefined;
  }

  /** Whether no older group need be waited for: all are settled. */
  #isNext(group: PacketGroup): boolean {
    return group.number === this.#passed + 1;
  }

  /** Index of a group's first packet, where that is known. */
  #indexOf(group: PacketGroup): number | undefined {
    return group.number === this.#opened + 1 ? this.#nextIndex : undefined;
  }

  #dueAt(group: PacketGroup): number {
    const { repairTime, idleTime } = this.#options;
    if (group.closedAt === undefined) return group.lastArrival + idleTime;
    if (group.isEndDoubtful && !this.#groups.some(({ number, cards }) => number > group.number && cards.length > 0)) {
      return group.lastArrival + idleTime;
    }
    // A group lasts no longer than `idleTime`: who goes on sending packets of it holds up those behind it no longer.
    return Math.min(Math.max(group.closedAt, group.lastArrival) + repairTime, group.closedAt + idleTime);
  }

  /** Where a group of this number would stand behind those of lower and equal numbers. */
  #placeOf(number: number): number {
    const groups = this.#groups;
    let to = groups.length;
    // Nearly every packet belongs to the newest group.
    if (to === 0 || groups[to - 1]!.number <= number) return to;
    let from = 0;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (groups[middle]!.number <= number) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  #groupOf({ group: number, rtp }: MediaPacket, now: number): PacketGroup {
    const groups = this.#groups;
    const at = this.#placeOf(number);
    const held = groups[at - 1];
    if (held?.number === number) return held;
    const group = new PacketGroup(number, this.#pool, now);
    if (at < groups.length) group.passedAt = now;
    groups.splice(at, 0, group);
    for (let i = at - 1; i >= 0; i--) {
      const earlier = groups[i]!;
      if (earlier.passedAt !== undefined) break;
      if (earlier.isBehind(rtp.sequence)) earlier.passedAt = now;
    }
    return group;
  }

  #remove(group: PacketGroup): void {
    const at = this.#groups.indexOf(group);
    if (at < 0) return;
    this.#groups.splice(at, 1);
    this.#size -= group.size;
    group.release();
  }
}
