import { decodeCardId } from '../../../../apdu/decode-module/card-id.ts';
import type { Ceilings } from '../../../../apdu/decode-module/keys/ceilings.ts';
import { combine } from '../../../../apdu/decode-module/keys/combined-section.ts';
import type { KeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { toHex } from '../../../../apdu/octets.ts';
import type { CardParents } from '../grants/card-parents.ts';
import type { KeyRoot } from '../key-root.ts';
import { sealSegment, type SegmentKey } from '../schedules/segment-key.ts';
import type { KeyStrategy, MemberGrant, WrappedSegment } from './key-strategy.ts';

/** Entries of one section: 1,400 octets less its header, 28 each. */
const MAX_ENTRIES = 48;
/** Segment keys whose sections are kept: the one that holds, the next, and one that replaces it. */
const MAX_SEGMENTS = 4;
/** Sets the ids of soft modules apart from those of cards with the same serial. */
const SOFT_BIT = 0x8000_0000;

export interface MemberListOptions {
  readonly service: number;
  readonly root: KeyRoot;
  readonly parents: CardParents;
  readonly ceilings: Ceilings;
  readonly grace: number;
}

interface Member {
  readonly keyId: number;
  readonly key: Uint8Array;
  readonly from: number;
  readonly to: number;
}

/** The sections of a segment key, and whom they are for. */
interface Pages {
  readonly pages: KeyMessage[][];
  sections: Uint8Array[];
  readonly members: Set<string>;
}

/**
 * Every member has a service key of its own, under its unique key; the segment key goes to all of them in combined
 * sections under these. Who is off the list is left out of the next.
 */
export class MemberListStrategy implements KeyStrategy {
  readonly name = 'list';
  readonly isBoughtBySegment = false;
  readonly #options: MemberListOptions;
  /** By card id in hexadecimal. */
  readonly #members = new Map<string, Member>();
  readonly #pages = new Map<SegmentKey, Pages>();
  /** Answers of `nextEnd`, until the list changes. */
  readonly #ends = new Map<SegmentKey, number | undefined>();

  constructor(options: MemberListOptions) {
    this.#options = options;
  }

  /** Puts a card on the list that has its service key already, as when the head-end starts anew. */
  restore({ cardId, from, to }: Pick<MemberGrant, 'cardId' | 'from' | 'to'>): void {
    const { service, root } = this.#options;
    const keyId = memberKeyId(cardId);
    this.#ends.clear();
    this.#members.set(toHex(cardId), { keyId, key: root.deriveMemberKey(service, keyId, cardId), from, to });
  }

  grant(grant: MemberGrant, opened: readonly SegmentKey[]): Uint8Array[] {
    const { service, parents, ceilings } = this.#options;
    const { cardId, from, to, takeNumber } = grant;
    const name = toHex(cardId);
    this.restore({ cardId, from, to });
    const member = this.#members.get(name)!;
    for (const [segment, pages] of this.#pages) this.#add(segment, pages, name, member);
    const purchase = { service, keyId: member.keyId, key: member.key, from, to, number: takeNumber(), ceilings };
    return [parents.seal(purchase, cardId), ...opened.map((segment) => this.#seal(segment, member).octets)];
  }

  wrap(segment: SegmentKey): WrappedSegment {
    let pages = this.#pages.get(segment);
    if (pages === undefined) {
      pages = { pages: [], sections: [], members: new Set() };
      for (const [name, member] of this.#members) this.#add(segment, pages, name, member, false);
      pages.sections = pages.pages.map((page) => combine(page));
      this.#pages.set(segment, pages);
      this.#ends.clear();
      const [oldest] = this.#pages.keys();
      if (this.#pages.size > MAX_SEGMENTS && oldest !== undefined) {
        this.#pages.delete(oldest);
        this.#forget();
      }
    }
    return { messages: pages.sections };
  }

  end(cardId: Uint8Array, at: number): void {
    const name = toHex(cardId);
    const member = this.#members.get(name);
    if (member === undefined) return;
    this.#ends.clear();
    this.#members.set(name, { ...member, to: Math.min(member.to, at) });
  }

  nextEnd(segment: SegmentKey): number | undefined {
    if (!this.#ends.has(segment)) this.#ends.set(segment, this.#findNextEnd(segment));
    return this.#ends.get(segment);
  }

  hasLeavers(segment: SegmentKey): boolean {
    return this.nextEnd(segment) !== undefined;
  }

  #findNextEnd(segment: SegmentKey): number | undefined {
    let next: number | undefined;
    for (const name of this.#pages.get(segment)?.members ?? []) {
      const to = this.#members.get(name)?.to;
      if (to !== undefined && to < segment.to && (next === undefined || to < next)) next = to;
    }
    return next;
  }

  /** Forgets members whose time was over before the oldest segment key that is still sent. */
  #forget(): void {
    const oldest = Math.min(...[...this.#pages.keys()].map(({ from }) => from));
    for (const [name, { to }] of this.#members) if (to <= oldest) this.#members.delete(name);
  }

  #add(segment: SegmentKey, pages: Pages, name: string, member: Member, isCombined = true): void {
    if (pages.members.has(name) || !isFor(segment, member)) return;
    pages.members.add(name);
    this.#ends.delete(segment);
    let page = pages.pages.at(-1);
    if (page === undefined || page.length >= MAX_ENTRIES) pages.pages.push((page = []));
    page.push(this.#seal(segment, member));
    if (isCombined) pages.sections = [...pages.sections.slice(0, pages.pages.length - 1), combine(page)];
  }

  #seal(segment: SegmentKey, { keyId, key }: Member): KeyMessage {
    const { service, grace } = this.#options;
    return sealSegment(service, segment, grace, { kind: KIND.service, id: keyId, key });
  }
}

/** Whether a member's time and that of a segment key overlap. */
function isFor(segment: SegmentKey, { from, to }: Member): boolean {
  return from < segment.to && segment.from < to;
}

/** The id of a card's own service key: its serial, which no two cards of a class have. */
function memberKeyId(cardId: Uint8Array): number {
  const { serial, moduleClass } = decodeCardId(cardId);
  return moduleClass === 'soft' ? (serial | SOFT_BIT) >>> 0 : serial;
}
