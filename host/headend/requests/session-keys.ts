import type { StoreChange } from '../../store/group-writer.ts';
import type { ListedMember } from '../membership/member-list.ts';
import type { SoldSession } from '../membership/sold-session.ts';

/** What one card is to be given keys for. */
export interface KeyGrant {
  readonly sold: SoldSession;
  /** 8 octets. */
  readonly cardId: Uint8Array;
  /** Seconds since 1970: the purchase is to be valid in [from, to). */
  readonly from: number;
  readonly to: number;
  /** Segments that begin after it are left out; none are when it is left out itself. */
  readonly startBy?: number;
  /**
   * Takes the next number of the card's one allocator (protocol 4.4 step 4), once for each message under the card's
   * unique key. The numbers are on disk before the messages leave.
   */
  readonly takeNumber: () => number;
}

/** A segment that a card was given the key of, and the time in which its key opens something, seconds since 1970. */
export interface GrantedSegment {
  readonly id: number;
  readonly from: number;
  readonly to: number;
}

/** What a grant is made of. */
export interface GrantedKeys {
  /** Key messages in the order in which the card loads them: the purchase, then what it needs at once. */
  readonly messages: readonly Uint8Array[];
  /** The segments that the card can open by them, in the order of their time, for the log. */
  readonly segments: readonly GrantedSegment[];
  /** Seconds since 1970, where each segment needs something of answers alone: what is given here lasts until then. */
  readonly keysUntil?: number;
  /** What the key manager has to keep of it: committed with the request, or not at all, before the messages leave. */
  readonly changes?: readonly StoreChange[];
}

/** Why a member gets no further key. */
export type EndReason = 'left' | 'unconfirmed' | 'silent' | 'evicted';

/** A member whose end is not that of its last grant any more. */
export interface EndedMember extends ListedMember {
  readonly session: string;
  readonly reason: EndReason;
  /** Whether the card has signed that it opens nothing after the end (LEAVE_RECORD). */
  readonly hasLeaveRecord: boolean;
}

/** A change of who may decode a session. */
export interface MembershipChange {
  readonly session: string;
  /** ms since 1970. */
  readonly at: number;
  /** How many there are now. */
  readonly members: number;
}

/**
 * The key manager of sessions, as the request desk needs it. Calls come from one thread, in the order of the list.
 * Nothing here waits: what has to be on disk is committed by the desk, with the request, before messages leave.
 */
export interface SessionKeys {
  /**
   * Makes the keys of a join, of an extension, for a key request, or of what a leave record made void. The same service
   * key again for an extension, with a later end.
   * @throws TollcastError when there are none to give; the request is then answered with the problem `unavailable`.
   */
  grant(grant: KeyGrant): GrantedKeys;
  /**
   * A member ends earlier than it was granted, at its `to`: now, or at a time to come that a leave named. It is left out
   * of every key from then on, and those who stay get a new one. A member that just expires at the end of its grant is
   * not told here; one that leaves and joins again is granted anew.
   */
  end(member: EndedMember): void;
}

/** Who is told when members come and go, such as whoever announces it to the other members. */
export interface MembershipEvents {
  changed(change: MembershipChange): void;
}
