import { ModuleError } from '../../apdu/decode-module/module-status.ts';
import { CardGoneError, FormatError } from '../../apdu/errors.ts';
import type { ClearWriter } from '../stream/opening/clear-packets.ts';
import type { GroupOpener, OpenedGroup } from '../stream/opening/group-opener.ts';
import type { PacketGroup } from '../stream/opening/packet-group.ts';
import type { EndCode } from './bridge-options.ts';
import type { Account, DropReason } from './bridge-status.ts';
import type { CardSession } from './card-session.ts';
import type { KeyLoader } from './key-loader.ts';
import type { TakenGroup } from './media-intake.ts';
import type { Notices } from './notices.ts';

/** What became of a group: let through, let go, kept until its key or its missing packets come, or what the card has against it. */
export type Passage = 'opened' | 'dropped' | 'kept' | 'waits for its key' | ModuleError;

/** Groups in a row, with none opened in between, and ms for which that goes on, before it counts as more than forged packets. */
const MAX_SUSPECT = 3;
const SUSPECT_TIME = 2000;

const OVER_DECLARED = 'groups that say more than came are not paid; if nothing plays, ask the operator of the stream';

/** Looks at a group before it is paid for, has the card open it, and opens the rest. */
export class TollGate {
  readonly #session: CardSession;
  readonly #keys: KeyLoader;
  readonly #opener: GroupOpener;
  readonly #writer: ClearWriter;
  readonly #account: Account;
  readonly #notices: Notices;
  readonly #minShare: number;
  readonly #faults = new Row();
  #otherTold = false;
  /** A group that is paid for and of which something did not open: true packets may still come. */
  #paid: { readonly group: PacketGroup; readonly answer: Uint8Array; readonly salt: Uint8Array } | undefined;

  /** @param minShare least part of a damaged group's octets, in percent, for which it is paid at all. */
  constructor(
    session: CardSession,
    keys: KeyLoader,
    opener: GroupOpener,
    writer: ClearWriter,
    account: Account,
    notices: Notices,
    minShare: number,
  ) {
    this.#session = session;
    this.#keys = keys;
    this.#opener = opener;
    this.#writer = writer;
    this.#account = account;
    this.#notices = notices;
    this.#minShare = minShare;
  }

  /** What goes wrong with group after group, so that the run had better end. */
  get failure(): { readonly code: EndCode; readonly message: string } | undefined {
    if (this.#faults.long) {
      const message = 'the card fails at group after group; take it out and insert it again, or have it replaced';
      return { code: 'CARD_FAULT', message };
    }
    return undefined;
  }

  /**
   * @returns the card's error where more than this group may hang on it; a group that credit or receipts would help keeps its turn.
   * @throws CardGoneError, TransportError; the group keeps its turn.
   */
  async pass(taken: TakenGroup, now: number): Promise<Passage> {
    const { group, card, stream } = taken;
    if (this.#paid?.group !== group) {
      const passage = await this.#pay(taken, now);
      if (passage !== undefined) return passage;
    }
    const { answer, salt } = this.#paid!;
    const before = this.#writer.packets;
    let opened: OpenedGroup;
    try {
      opened = this.#opener.open(group, card, answer, salt, this.#writer);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      // An answer that opens nothing; what it cost is paid and missing.
      this.#paid = undefined;
      this.#faults.add(now);
      this.#account.missing = this.#account.paid - this.#account.received;
      return this.#refuse(taken, 'refused');
    }
    this.#faults.end();
    if (opened.forged > 0 && opened.packets < card.header.packets && stream.wait(group, now)) {
      this.#writer.truncate(before);
      return 'kept';
    }
    this.#paid = undefined;
    stream.settle(group);
    this.#account.drops.forged += opened.forged;
    this.#account.packets += opened.packets;
    this.#account.received += opened.octets;
    this.#account.missing = this.#account.paid - this.#account.received;
    return 'opened';
  }

  /** Checks and pays. @returns nothing when that is done. */
  async #pay(taken: TakenGroup, now: number): Promise<Passage | undefined> {
    const { group, card, stream } = taken;
    const { header } = card;
    const content = this.#keys.content(header.contentKeyId, header.ssrc);
    if (content === undefined) {
      const other = this.#keys.otherService(header.contentKeyId, header.ssrc);
      if (other !== undefined) {
        this.#tellOther(other);
        return this.#refuse(taken, 'otherService');
      }
      if (group.cards.length > 1) return this.#refuse(taken, 'forged');
      stream.putBack(group);
      return 'waits for its key';
    }
    if (group.overDeclared(card)) {
      // Nobody has authenticated it: what it claims says nothing of the sender.
      this.#notices.say(OVER_DECLARED);
      return this.#refuse(taken, 'overDeclared');
    }
    if (group.missingPackets(card) > 0 && group.receivedOctets(card) * 100 < header.octets * this.#minShare) {
      this.#count('damaged', group.packets);
      stream.drop(group);
      return 'dropped';
    }
    this.#account.service = content.service;
    this.#account.tariff = content.terms.tariff;
    let answer: Uint8Array;
    try {
      answer = await this.#session.decode(content.service, card.part);
    } catch (error) {
      if (error instanceof ModuleError) return this.#answered(taken, error, now);
      stream.putBack(group);
      throw error;
    }
    this.#paid = { group, answer, salt: content.terms.masterSalt };
    // Whose groups come here is for nobody on the network to say: what was opened first is what is paid for.
    this.#keys.bind(content.service);
    this.#account.groups++;
    this.#account.paid += header.octets;
    return undefined;
  }

  /** `firmware-notes/protocol.md` 2.2, what the host does then. */
  #answered(taken: TakenGroup, error: ModuleError, now: number): Passage {
    const { group, card, stream } = taken;
    switch (error.code) {
      case 'CRYPTO':
        return this.#refuse(taken, 'forged');
      case 'OLD_GROUP':
        return this.#refuse(taken, 'late');
      case 'FOREIGN_STREAM':
        return this.#refuse(taken, 'foreign');
      case 'UNKNOWN_KEY':
        if (!this.#keys.lost(card.header.contentKeyId)) return this.#refuse(taken, 'noKey');
        stream.putBack(group);
        return 'kept';
      case 'NOT_SELECTED':
        stream.putBack(group);
        throw new CardGoneError('another program took the card over; the session starts anew', { cause: error });
      case 'NO_CREDIT':
      case 'RECEIPTS_DUE':
      case 'SPEND_LIMIT':
        stream.putBack(group);
        return error;
      case 'DEFECT':
        this.#faults.add(now);
        break;
      default:
    }
    this.#refuse(taken, 'refused');
    return error;
  }

  /** Once a run: unauthenticated messages can name any service. */
  #tellOther(other: number): void {
    if (this.#otherTold) return;
    this.#otherTold = true;
    const own = this.#keys.service;
    this.#notices.say(
      `packets of service ${other} come here and are let go: this run is of service ${own}; to watch the other one start again with --service ${other}`,
    );
  }

  #refuse({ group, card, stream }: TakenGroup, reason: DropReason): Passage {
    this.#count(reason, group.cards.length > 1 ? 1 : group.packets);
    stream.refuse(group, card);
    return 'dropped';
  }

  #count(reason: DropReason, packets: number): void {
    this.#account.drops[reason] += packets;
  }
}

/** The same thing again and again. */
class Row {
  #count = 0;
  #since = 0;
  #newest = 0;

  add(now: number): void {
    if (this.#count === 0) this.#since = now;
    this.#count++;
    this.#newest = now;
  }

  end(): void {
    this.#count = 0;
  }

  get long(): boolean {
    return this.#count >= MAX_SUSPECT && this.#newest - this.#since >= SUSPECT_TIME;
  }
}
