import { DueTimes } from './due-times.ts';
import type { MemberList } from './member-list.ts';
import { type DueEvent, type Member, nextDue } from './member.ts';

/** The list of requesters, by session and by card, with what falls due for them. */
export class MemberBook implements MemberList {
  readonly #bySession = new Map<string, Map<string, Member>>();
  readonly #byCard = new Map<string, Map<string, Member>>();
  readonly #due = new DueTimes<string>();

  find(cardId: string, session: string): Member | undefined {
    return this.#byCard.get(cardId)?.get(session);
  }

  ofCard(cardId: string): readonly Member[] {
    return [...(this.#byCard.get(cardId)?.values() ?? [])];
  }

  members(session: string): Iterable<Member> {
    return this.#bySession.get(session)?.values() ?? [];
  }

  count(session: string): number {
    return this.#bySession.get(session)?.size ?? 0;
  }

  /** Takes a member in, or in the place of what it was. */
  put(member: Member): void {
    const { cardId, session } = member;
    put(this.#bySession, session, cardId, member);
    put(this.#byCard, cardId, session, member);
    this.#due.add(nextDue(member).at, `${cardId} ${session}`);
  }

  remove({ cardId, session }: Member): void {
    remove(this.#bySession, session, cardId);
    remove(this.#byCard, cardId, session);
  }

  /** Takes the members that a timer has run out for. @param now seconds since 1970. */
  takeDue(now: number): { readonly member: Member; readonly due: DueEvent }[] {
    return [...new Set(this.#due.take(now))].flatMap((key) => {
      const blank = key.indexOf(' ');
      const member = this.find(key.slice(0, blank), key.slice(blank + 1));
      if (member === undefined) return [];
      const due = nextDue(member);
      if (due.at <= now) return { member, due };
      // It was put off meanwhile.
      this.#due.add(due.at, key);
      return [];
    });
  }

  /** Seconds since 1970 of the next look at the timers. */
  get nextDue(): number {
    return this.#due.next;
  }
}

function put(map: Map<string, Map<string, Member>>, first: string, second: string, member: Member): void {
  const inner = map.get(first);
  if (inner === undefined) map.set(first, new Map([[second, member]]));
  else inner.set(second, member);
}

function remove(map: Map<string, Map<string, Member>>, first: string, second: string): void {
  const inner = map.get(first);
  inner?.delete(second);
  if (inner?.size === 0) map.delete(first);
}
