/** One that may decode a session, as a key manager has to know it. */
export interface ListedMember {
  /** 8 octets, in hexadecimal. */
  readonly cardId: string;
  /** Seconds since 1970: keys are due for [from, to). */
  readonly from: number;
  readonly to: number;
  /** Number of its last grant, protocol 4.4 step 4. */
  readonly number: number;
}

/** The list of requesters, for a key manager that starts, or makes a new key for all that stay. */
export interface MemberList {
  /** @param session as `formatSession` writes it. */
  members(session: string): Iterable<ListedMember>;
}
